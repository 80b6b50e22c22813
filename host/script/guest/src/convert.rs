//! Values of QuickJS from and to nodes.

use crate::node::Node;
use crate::types::Secret;
use rquickjs::class::{JsClass, Readable, Trace, Tracer};
use rquickjs::function::Constructor;
use rquickjs::object::Property;
use rquickjs::{Array, Class, Coerced, Ctx, Exception, JsLifetime, Object, Result, String as JsString, TypedArray, Value};

/// How deep a value may be: one that holds itself is deeper.
const DEPTH_MAX: usize = 64;
/// The most items of an array: its length costs nothing to write, and each item that is not there is one here.
const ITEMS_MAX: usize = 1 << 20;
/// The largest whole number that is every smaller one's neighbour.
const WHOLE_MAX: i64 = 9_007_199_254_740_991;

/// A secret that was opened, as a script has it: the host makes it, and nothing that a script writes is one.
struct Opened(&'static Secret);

impl<'js> Trace<'js> for Opened {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}

// SAFETY: it has no lifetime of the engine's.
unsafe impl<'js> JsLifetime<'js> for Opened {
    type Changed<'to> = Self;
}

impl<'js> JsClass<'js> for Opened {
    const NAME: &'static str = "Secret";
    type Mutable = Readable;

    fn constructor(_: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Ok(None)
    }
}

pub(crate) fn to_js<'js>(ctx: &Ctx<'js>, node: Node) -> Result<Value<'js>> {
    Ok(match node {
        Node::Null => Value::new_undefined(ctx.clone()),
        Node::Bool(bool) => Value::new_bool(ctx.clone(), bool),
        Node::Number(number) => Value::new_number(ctx.clone(), number),
        Node::Text(text) => JsString::from_str(ctx.clone(), &text)?.into_value(),
        Node::Bytes(bytes) => TypedArray::<u8>::new(ctx.clone(), bytes)?.into_value(),
        Node::List(nodes) => {
            let array = Array::new(ctx.clone())?;
            for (at, node) in nodes.into_iter().enumerate() {
                own(&array, at as u32, to_js(ctx, node)?)?;
            }
            array.into_value()
        }
        Node::Object(fields) => {
            let object = Object::new(ctx.clone())?;
            for (name, node) in fields {
                own(&object, &*name, to_js(ctx, node)?)?;
            }
            object.into_value()
        }
        Node::Secret(secret) => Class::instance(ctx.clone(), Opened(secret))?.into_value(),
    })
}

/// A property of its own. Setting one would ask the prototype, which a script may have changed.
fn own<'js, K: rquickjs::IntoAtom<'js>>(object: &Object<'js>, name: K, value: Value<'js>) -> Result<()> {
    object.prop(name, Property::from(value).configurable().enumerable().writable())
}

pub(crate) fn from_js<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Node> {
    node(ctx, value, 0)
}

fn node<'js>(ctx: &Ctx<'js>, value: Value<'js>, depth: usize) -> Result<Node> {
    if depth > DEPTH_MAX {
        return Err(Exception::throw_type(ctx, "a value is nested too deeply, or holds itself"));
    }
    if value.is_undefined() || value.is_null() {
        return Ok(Node::Null);
    }
    if let Some(bool) = value.as_bool() {
        return Ok(Node::Bool(bool));
    }
    if let Some(number) = value.as_number() {
        return Ok(Node::Number(number));
    }
    if let Some(big) = value.as_big_int() {
        // By its digits: as 64 bits a larger one would be another one.
        let digits = big.clone().into_value().get::<Coerced<String>>()?.0;
        return match digits.parse::<i64>() {
            Ok(whole) if whole.abs() <= WHOLE_MAX => Ok(Node::Number(whole as f64)),
            _ => Err(Exception::throw_range(ctx, "a number as large as this would become another one")),
        };
    }
    if let Some(text) = value.as_string() {
        return Ok(Node::Text(text.to_string()?.into()));
    }
    if value.is_array() {
        return list(ctx, value, depth);
    }
    let Some(object) = value.as_object().filter(|_| !value.is_function()) else {
        return Err(Exception::throw_type(ctx, &format!("a {} cannot be handed to the host", value.type_name())));
    };
    if let Some(bytes) = object.as_typed_array::<u8>() {
        return Ok(Node::Bytes(bytes_of(bytes)));
    }
    if let Some(secret) = Class::<Opened>::from_value(&value).ok() {
        return Ok(Node::Secret(secret.borrow().0));
    }
    let mut fields = Vec::new();
    // Each is read once: what a getter says a second time is asked by nobody.
    for field in object.props::<String, Value>() {
        let (name, value) = field?;
        if !value.is_undefined() {
            fields.push((name.into(), node(ctx, value, depth + 1)?));
        }
    }
    Ok(Node::Object(fields))
}

/// By its length, as it is said now: `Array` of the bindings takes for granted that it is a small number.
fn list<'js>(ctx: &Ctx<'js>, value: Value<'js>, depth: usize) -> Result<Node> {
    let object = value.into_object().ok_or_else(|| Exception::throw_type(ctx, "an array is an object"))?;
    let length: f64 = object.get("length")?;
    if !(0.0..=ITEMS_MAX as f64).contains(&length) {
        return Err(Exception::throw_range(ctx, &format!("an array handed to the host has at most {ITEMS_MAX} items")));
    }
    let items = (0..length as u32).map(|at| node(ctx, object.get(at)?, depth + 1));
    Ok(Node::List(items.collect::<Result<_>>()?))
}

pub(crate) fn bytes_of(array: &TypedArray<'_, u8>) -> Vec<u8> {
    // SAFETY: no script runs while the bytes are copied.
    unsafe { array.as_bytes() }.unwrap_or_default().to_vec()
}
