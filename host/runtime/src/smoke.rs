//! Whether a guest can run on this machine at all: compiled, loaded and called, with nothing of a plugin in the way.

use wasmtime::Store;
use wasmtime::component::Linker;

use crate::compile::{self, Compiler};
use crate::engine::{Engine, Needs, Options};
use crate::{Error, Refusal};

/// What the guest answers.
const ANSWER: u32 = 42;

/// A component with one function, which answers [`ANSWER`]; a test compares it with its text.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0\x01\x27\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\
    \x07\x0a\x01\x06answer\0\0\x0a\x06\x01\x04\0\x41\x2a\x0b\
    \x02\x04\x01\0\0\0\x07\x05\x01\x40\0\0\x79\x06\x0c\x01\0\0\x01\0\x06answer\x08\x06\x01\0\0\0\0\0\
    \x0b\x0c\x01\0\x06answer\x01\0\0";

/// Compiles a tiny component as any other is, and calls it.
pub async fn smoke_test(engine: &Engine, compiler: &Compiler) -> Result<(), Error> {
    let component = compile::bytes(engine, COMPONENT, compiler).await?;
    let linker: Linker<()> = Linker::new(&engine.wasmtime);
    let mut store = Store::new(&engine.wasmtime, ());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(wasmtime::UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    let _slot = engine.enter(Needs::of(&component)).await;
    let instance = linker.instantiate_async(&mut store, &component).await.map_err(Error::Engine)?;
    let answer = instance.get_typed_func::<(), (u32,)>(&mut store, "answer").map_err(Error::Engine)?;
    match answer.call_async(&mut store, ()).await.map_err(Error::Engine)? {
        (ANSWER,) => Ok(()),
        (other,) => {
            Err(Error::Refused(vec![Refusal::NotLinked { reason: format!("it answered {other}, not {ANSWER}") }]))
        }
    }
}

/// Whether the address space for a pool of instances can be had: an engine does without where it cannot.
pub fn can_pool() -> Result<(), Error> {
    Engine::pooled(Options::default()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"(component
        (core module (func (export "answer") (result i32) i32.const 42))
        (core instance (instantiate 0))
        (type (func (result u32)))
        (alias core export 0 "answer" (core func))
        (func (type 0) (canon lift (core func 0)))
        (export "answer" (func 0)))"#;

    #[test]
    fn the_bytes_are_the_text() {
        assert_eq!(wat::parse_str(TEXT).unwrap(), COMPONENT);
    }

    #[tokio::test]
    async fn a_tiny_guest_runs() {
        let engine = Engine::new(Options { pooled: false, ..Options::default() }).unwrap();
        smoke_test(&engine, &Compiler::InProcess).await.unwrap();
        let absent = Compiler::child("/nonexistent/remit".into());
        assert!(smoke_test(&engine, &absent).await.is_err(), "it really goes through the compiler");
    }
}
