//! QuickJS-ng, with everything in it but the script.

use rquickjs::context::intrinsic;
use rquickjs::function::{Args, Rest};
use rquickjs::{CaughtError, Coerced, Context, Ctx, Exception, Function, Module, Persistent, Runtime, TypedArray, Value};

use crate::bindings::remit::script::source::Script;
use crate::convert::{bytes_of, from_js, to_js};
use crate::failure::{Thrown, position};
use crate::modules::{self, Host, REFUSE};
use crate::node::Node;

/// Runs before every script: `console`, text and bytes, and the class of errors that the host answers. Takes `log: (level, text) =>
/// void`, [`encode`] and [`decode`], gives `(error) => HostError`.
const PRELUDE: &str = include_str!("prelude.js");

/// What the engine may use of its stack before it throws: less than the guest's stack holds, whatever is on it.
const STACK_BYTES: usize = 96 << 10;

/// All that the language has. Without `performance`: what it keeps would be the time when the runtime was built.
type Everything = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// An engine.
pub(crate) struct QuickJs {
    context: Context,
}

impl QuickJs {
    /// Starts one. It calls nothing of the host: this runs when the runtime is built.
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("memory for a runtime");
        runtime.set_max_stack_size(STACK_BYTES);
        runtime.set_loader(Host, Host);
        let context = Context::custom::<Everything>(&runtime).expect("memory for a context");
        context.with(|ctx| {
            let prelude: Function = ctx.eval(PRELUDE).expect("the prelude");
            let log = Function::new(ctx.clone(), |level: String, text: String| crate::log(&level, &text)).expect("a function");
            let encode = Function::new(ctx.clone(), encode).expect("a function");
            let decode = Function::new(ctx.clone(), decode).expect("a function");
            let refuse: Function = prelude.call((log, encode, decode)).expect("the prelude");
            REFUSE.set(Some(Persistent::save(&ctx, refuse)));
            let random = Function::new(ctx.clone(), modules::random).expect("a function");
            let random = random.with_name("random").and_then(|random| random.with_length(0)).expect("a name");
            ctx.globals().get::<_, rquickjs::Object>("Math").and_then(|math| math.set("random", random)).expect("Math");
        });
        Self { context }
    }

    /// Evaluates the script and calls one of its exports.
    pub(crate) fn call(&mut self, script: &Script, export: &str, arguments: Vec<Node>) -> Result<Node, Thrown> {
        modules::SEED.set(script.seed | 1);
        self.context.with(|ctx| {
            evaluate(&ctx, script, export, arguments).map_err(|error| thrown(&ctx, error, &script.name))
        })
    }
}

/// A text as UTF-8.
fn encode(ctx: Ctx<'_>, text: Coerced<String>) -> rquickjs::Result<TypedArray<'_, u8>> {
    TypedArray::new(ctx, text.0.into_bytes())
}

/// UTF-8 as text: what is none becomes U+FFFD, or is refused; the mark at its beginning goes, or stays.
fn decode(ctx: Ctx<'_>, bytes: TypedArray<'_, u8>, is_fatal: bool, keeps_mark: bool) -> rquickjs::Result<String> {
    let bytes = bytes_of(&bytes);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| !keeps_mark).unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) if is_fatal => {
            let at = error.valid_up_to();
            Err(Exception::throw_type(&ctx, &format!("byte {at} is no UTF-8")))
        }
        Err(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn evaluate(ctx: &Ctx<'_>, script: &Script, export: &str, arguments: Vec<Node>) -> rquickjs::Result<Node> {
    let module = Module::declare(ctx.clone(), script.name.as_str(), script.text.as_str())?;
    let (module, evaluated) = module.eval()?;
    evaluated.finish::<Value>()?;
    let function: Value = module.get(export)?;
    let Some(function) = function.as_function() else {
        return Err(Exception::throw_type(ctx, &format!("it exports no function `{export}`")));
    };
    let mut args = Args::new(ctx.clone(), arguments.len());
    for node in arguments {
        args.push_arg(to_js(ctx, node)?)?;
    }
    let value: Value = function.call_arg(args)?;
    let value = match value.as_promise() {
        Some(promise) => promise.finish()?,
        None => value,
    };
    from_js(ctx, value)
}

fn thrown<'js>(ctx: &Ctx<'js>, error: rquickjs::Error, file: &str) -> Thrown {
    let mut thrown = Thrown { code: "threw", file: file.to_owned(), ..Thrown::default() };
    match CaughtError::from_error(ctx, error) {
        CaughtError::Error(rquickjs::Error::WouldBlock) => {
            thrown.message = "it waits for something that never comes".to_owned();
        }
        CaughtError::Error(error) => thrown.message = error.to_string(),
        CaughtError::Exception(exception) => {
            let object = exception.as_object();
            let name: String = object.get("name").unwrap_or_default();
            thrown.message = format!("{name}: {}", exception.message().unwrap_or_default());
            thrown.stack = exception.stack().unwrap_or_default();
            thrown.position = position(&thrown.stack, file);
            if name == "SyntaxError" && thrown.stack.lines().count() == 1 {
                thrown.code = "syntax";
            }
            if object.contains_key("kind").unwrap_or(false) {
                thrown.host = host_error(ctx, object);
            }
        }
        CaughtError::Value(value) => {
            thrown.message = value.get::<Coerced<String>>().map_or_else(|_| "something".to_owned(), |text| text.0);
        }
    }
    thrown
}

/// The contract's error, out of a `HostError`.
fn host_error<'js>(ctx: &Ctx<'js>, object: &rquickjs::Object<'js>) -> Option<Node> {
    let field = |name: &'static str| Some((name.into(), from_js(ctx, object.get(name).ok()?).ok()?));
    let names = ["kind", "code", "message", "retryAfterMs", "attributes"];
    Some(Node::Object(names.into_iter().map(field).collect::<Option<_>>()?))
}

/// One host function, as JavaScript calls it.
pub(crate) fn host_function<'js>(ctx: &Ctx<'js>, function: &'static crate::Function) -> rquickjs::Result<Function<'js>> {
    let call = |ctx: Ctx<'js>, arguments: Rest<Value<'js>>| modules::call(&ctx, function, arguments.0);
    Function::new(ctx.clone(), call)?.with_name(function.name)?.with_length(function.length)
}
