//! Values between an engine and the contract.

use std::borrow::Cow;

use crate::bindings::msp::automation::types::Secret;

/// A value, of no engine.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'static, str>),
    Bytes(Vec<u8>),
    List(Vec<Node>),
    Object(Vec<(Cow<'static, str>, Node)>),
    /// A secret that was opened. It is never closed: an instance lives as long as one phase, and opens 32 at most.
    Secret(&'static Secret),
}

impl Node {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
            Self::Secret(_) => "a secret",
        }
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, Wrong> {
        Err(Wrong::new(format!("must be {wanted}, and is {}", self.kind())))
    }

    pub(crate) fn word(self, words: &[&'static str]) -> Result<&'static str, Wrong> {
        let Self::Text(text) = &self else { return self.wrong(&format!("one of {}", list(words))) };
        match words.iter().find(|word| *word == text) {
            Some(word) => Ok(word),
            None => Err(Wrong::new(format!("must be one of {}, and is `{text}`", list(words)))),
        }
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// What is wrong with a value, and where in it.
#[derive(Debug)]
pub(crate) struct Wrong {
    path: String,
    what: String,
}

impl Wrong {
    pub(crate) fn new(what: String) -> Self {
        Self { path: String::new(), what }
    }

    fn at(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, what } = self;
        if path.is_empty() { f.write_str(what) } else { write!(f, "`{path}` {what}") }
    }
}

pub(crate) trait ToNode: Sized {
    fn to_node(self) -> Node;

    /// Many of it: bytes, where it is a byte.
    fn list(items: Vec<Self>) -> Node {
        Node::List(items.into_iter().map(Self::to_node).collect())
    }
}

pub(crate) trait FromNode: Sized {
    fn from_node(node: Node) -> Result<Self, Wrong>;

    fn list(node: Node) -> Result<Vec<Self>, Wrong> {
        let items = match node {
            Node::List(items) => items,
            // A list that is left out is empty, and pairs may be written as an object.
            Node::Null => vec![],
            Node::Object(pairs) => {
                pairs.into_iter().map(|(name, value)| Node::List(vec![Node::Text(name), value])).collect()
            }
            other => return other.wrong("an array"),
        };
        let item = |(at, node)| Self::from_node(node).map_err(|wrong| wrong.at(&format!("[{at}]")));
        items.into_iter().enumerate().map(item).collect()
    }
}

macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl ToNode for $ty {
            fn to_node(self) -> Node { Node::Number(self as f64) }
        }
        impl FromNode for $ty {
            fn from_node(node: Node) -> Result<Self, Wrong> {
                let Node::Number(number) = node else { return node.wrong("a number") };
                let here = number as $ty;
                if here as f64 == number { Ok(here) } else {
                    Err(Wrong::new(format!("must be a whole number from {} to {}, and is {number}", <$ty>::MIN, <$ty>::MAX)))
                }
            }
        }
    )*};
}

numbers!(u16, u32, u64, i32, i64);

impl ToNode for f64 {
    fn to_node(self) -> Node {
        Node::Number(self)
    }
}

impl FromNode for f64 {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let Node::Number(number) = node else { return node.wrong("a number") };
        Ok(number)
    }
}

impl ToNode for () {
    fn to_node(self) -> Node {
        Node::Null
    }
}

impl ToNode for bool {
    fn to_node(self) -> Node {
        Node::Bool(self)
    }
}

impl FromNode for bool {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let Node::Bool(bool) = node else { return node.wrong("a boolean") };
        Ok(bool)
    }
}

impl ToNode for String {
    fn to_node(self) -> Node {
        Node::Text(self.into())
    }
}

impl FromNode for String {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let Node::Text(text) = node else { return node.wrong("a string") };
        Ok(text.into_owned())
    }
}

impl ToNode for u8 {
    fn to_node(self) -> Node {
        Node::Number(self.into())
    }

    fn list(items: Vec<Self>) -> Node {
        Node::Bytes(items)
    }
}

impl FromNode for u8 {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let number = u16::from_node(node)?;
        u8::try_from(number).map_err(|_| Wrong::new(format!("must be at most 255, and is {number}")))
    }

    fn list(node: Node) -> Result<Vec<Self>, Wrong> {
        match node {
            Node::Bytes(bytes) => Ok(bytes),
            Node::Text(text) => Ok(text.into_owned().into_bytes()),
            other => other.wrong("a Uint8Array or a string"),
        }
    }
}

impl<T: ToNode> ToNode for Vec<T> {
    fn to_node(self) -> Node {
        T::list(self)
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        T::list(node)
    }
}

impl<T: ToNode> ToNode for Option<T> {
    fn to_node(self) -> Node {
        self.map_or(Node::Null, T::to_node)
    }
}

impl<T: FromNode> FromNode for Option<T> {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        match node {
            Node::Null => Ok(None),
            some => T::from_node(some).map(Some),
        }
    }
}

impl<A: ToNode, B: ToNode> ToNode for (A, B) {
    fn to_node(self) -> Node {
        Node::List(vec![self.0.to_node(), self.1.to_node()])
    }
}

impl<A: FromNode, B: FromNode> FromNode for (A, B) {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let Node::List(items) = node else { return node.wrong("a pair") };
        let Ok([a, b]) = <[Node; 2]>::try_from(items) else { return Err(Wrong::new("must be a pair".to_owned())) };
        Ok((A::from_node(a)?, B::from_node(b)?))
    }
}

impl ToNode for Secret {
    fn to_node(self) -> Node {
        Node::Secret(Box::leak(Box::new(self)))
    }
}

impl FromNode for &'static Secret {
    fn from_node(node: Node) -> Result<Self, Wrong> {
        let Node::Secret(secret) = node else { return node.wrong("a secret that was opened") };
        Ok(secret)
    }
}

/// The fields of an object that becomes a record.
pub(crate) struct Fields(Vec<(Cow<'static, str>, Node)>);

impl Fields {
    pub(crate) fn of(node: Node, names: &[&str]) -> Result<Self, Wrong> {
        let Node::Object(fields) = node else { return node.wrong("an object") };
        match fields.iter().find(|(name, _)| !names.contains(&&**name)) {
            Some((stray, _)) => Err(Wrong::new(format!("has `{stray}`, which is none of {}", list(names)))),
            None => Ok(Self(fields)),
        }
    }

    pub(crate) fn take<T: FromNode>(&mut self, name: &str) -> Result<T, Wrong> {
        let at = self.0.iter().position(|(field, _)| field == name);
        T::from_node(at.map_or(Node::Null, |at| self.0.swap_remove(at).1)).map_err(|wrong| wrong.at(name))
    }
}

/// The arguments of a call, in their order; what is left out is null.
pub(crate) struct Arguments(std::vec::IntoIter<Node>);

impl Arguments {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self(nodes.into_iter())
    }

    pub(crate) fn take<T: FromNode>(&mut self, name: &str) -> Result<T, Wrong> {
        T::from_node(self.0.next().unwrap_or(Node::Null)).map_err(|wrong| wrong.at(name))
    }
}
