//! The host's interfaces as modules, made when a script imports them.

use std::cell::{Cell, RefCell};

use crate::node::{Node, ToNode};
use crate::{Fault, Function as HostFunction};
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declarations, Declared, Exports, ModuleDef};
use rquickjs::{Ctx, Error, Exception, Function, Module, Persistent, Result, Value};

use crate::convert::{from_js, to_js};
use crate::engine::host_function;

thread_local! {
    /// Makes a `HostError`.
    pub(crate) static REFUSE: RefCell<Option<Persistent<Function<'static>>>> = const { RefCell::new(None) };
    pub(crate) static SEED: Cell<u64> = const { Cell::new(1) };
}

/// Every interface; which one is the module's name.
pub(crate) struct Host;

impl Resolver for Host {
    fn resolve<'js>(&mut self, _: &Ctx<'js>, base: &str, name: &str, _: Option<ImportAttributes<'js>>) -> Result<String> {
        crate::interface(name).map(|_| name.to_owned()).ok_or_else(|| Error::new_resolving(base, name))
    }
}

impl Loader for Host {
    fn load<'js>(&mut self, ctx: &Ctx<'js>, name: &str, _: Option<ImportAttributes<'js>>) -> Result<Module<'js, Declared>> {
        Module::declare_def::<Self, _>(ctx.clone(), name)
    }
}

impl ModuleDef for Host {
    fn declare(declarations: &Declarations<'_>) -> Result<()> {
        for function in functions(&declarations.module().name::<String>()?) {
            declarations.declare(function.name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        for function in functions(&exports.module().name::<String>()?) {
            exports.export(function.name, host_function(ctx, function)?)?;
        }
        Ok(())
    }
}

fn functions(name: &str) -> &'static [HostFunction] {
    crate::interface(name).map_or(&[], |interface| interface.functions)
}

/// Calls the host, and throws what it refuses.
pub(crate) fn call<'js>(ctx: &Ctx<'js>, function: &HostFunction, arguments: Vec<Value<'js>>) -> Result<Value<'js>> {
    let nodes: Vec<Node> = arguments.into_iter().map(|value| from_js(ctx, value)).collect::<Result<_>>()?;
    match (function.call)(nodes) {
        Ok(node) => to_js(ctx, node),
        Err(Fault::Argument(wrong)) => Err(Exception::throw_type(ctx, &format!("{}: {wrong}", function.name))),
        Err(Fault::Refused(error)) => {
            let refuse = REFUSE.with_borrow(Option::clone).ok_or(Error::Unknown)?.restore(ctx)?;
            let error: Value = refuse.call((to_js(ctx, error.to_node())?,))?;
            Err(ctx.throw(error))
        }
    }
}

/// What `Math.random` gives. QuickJS's own would begin where it began when the runtime was built.
pub(crate) fn random() -> f64 {
    // xorshift64*, as QuickJS.
    let mut seed = SEED.get();
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    SEED.set(seed);
    (seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}

/// QuickJS asks this for the time where WASI is left out.
#[cfg(target_os = "unknown")]
#[unsafe(no_mangle)]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    // While the runtime is built nobody is asked: the engine seeds `Math.random` with it.
    if REFUSE.with_borrow(Option::is_none) { 0.0 } else { crate::now_ms() as f64 * 1000.0 }
}
