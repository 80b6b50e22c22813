//! Values of QuickJS from and to nodes.

use crate::node::Node;
use rquickjs::{Array, Ctx, Exception, Object, Result, String as JsString, TypedArray, Value};

/// How deep a value may be: one that holds itself is deeper.
const DEPTH_MAX: usize = 64;
/// Where an opened secret's address is kept. It is worth nothing: what is found there is this script's own.
const SECRET: &str = "__secret";

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
                array.set(at, to_js(ctx, node)?)?;
            }
            array.into_value()
        }
        Node::Object(fields) => {
            let object = Object::new(ctx.clone())?;
            for (name, node) in fields {
                object.set(&*name, to_js(ctx, node)?)?;
            }
            object.into_value()
        }
        Node::Secret(secret) => {
            let at = SECRETS.with_borrow_mut(|secrets| {
                secrets.push(secret);
                secrets.len() - 1
            });
            let object = Object::new(ctx.clone())?;
            object.set(SECRET, at as u32)?;
            object.into_value()
        }
    })
}

thread_local! {
    static SECRETS: std::cell::RefCell<Vec<&'static crate::types::Secret>> = const { std::cell::RefCell::new(vec![]) };
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
        return Ok(Node::Number(big.clone().to_i64()? as f64));
    }
    if let Some(text) = value.as_string() {
        return Ok(Node::Text(text.to_string()?.into()));
    }
    if let Some(array) = value.as_array() {
        let items = array.iter::<Value>().map(|item| node(ctx, item?, depth + 1));
        return Ok(Node::List(items.collect::<Result<_>>()?));
    }
    let Some(object) = value.as_object().filter(|_| !value.is_function()) else {
        return Err(Exception::throw_type(ctx, &format!("a {} cannot be handed to the host", value.type_name())));
    };
    if let Some(bytes) = object.as_typed_array::<u8>() {
        return Ok(Node::Bytes(bytes_of(bytes)));
    }
    let mut fields = Vec::new();
    for field in object.props::<String, Value>() {
        let (name, value) = field?;
        // Its own, and not a prototype's: a script may have changed that.
        if name == SECRET {
            let secret = value.as_int().and_then(|at| SECRETS.with_borrow(|secrets| secrets.get(at as usize).copied()));
            return secret.map(Node::Secret).ok_or_else(|| Exception::throw_type(ctx, "no secret of this script"));
        }
        if !value.is_undefined() {
            fields.push((name.into(), node(ctx, value, depth + 1)?));
        }
    }
    Ok(Node::Object(fields))
}

pub(crate) fn bytes_of(array: &TypedArray<'_, u8>) -> Vec<u8> {
    // SAFETY: no script runs while the bytes are copied.
    unsafe { array.as_bytes() }.unwrap_or_default().to_vec()
}
