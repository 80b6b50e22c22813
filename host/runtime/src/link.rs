//! Granting is linking: a guest is given what was granted, and finds nothing else.

use contract::types::Secret;
use model::Grants;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, ResourceType};

use crate::adapters::Adapter;
use crate::run_interface;
use crate::state::Run;
use crate::wasi;

/// A linker that has `types`, `run`, inert WASI, and the granted interfaces.
pub(crate) fn linker(engine: &wasmtime::Engine, grants: &Grants) -> wasmtime::Result<Linker<Run>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    link_types(&mut linker)?;
    run_interface::link(&mut linker.instance(&name("run"))?)?;
    for (interface, _) in grants.iter() {
        link_interface(&mut linker, interface)?;
    }
    Ok(linker)
}

/// The full name of an interface of the contract.
pub(crate) fn name(interface: &str) -> String {
    format!("msp:automation/{interface}@{}", contract::VERSION)
}

fn link_types(linker: &mut Linker<Run>) -> wasmtime::Result<()> {
    linker.instance(&name("types"))?.resource("secret", ResourceType::host::<Secret>(), |mut store, handle| {
        store.data_mut().gate.drop_handle(handle);
        Ok(())
    })
}

macro_rules! link_each {
    ($($name:literal => $module:ident { $($call:ident),* })*) => {
        fn link_interface(linker: &mut Linker<Run>, interface: &str) -> wasmtime::Result<()> {
            match interface {
                $($name => {
                    let mut instance = linker.instance(&name($name))?;
                    $(link_call::<contract::$module::$call>(&mut instance)?;)*
                    Ok(())
                })*
                other => wasmtime::bail!("`{other}` is granted, and this host has no such interface"),
            }
        }
    };
}

contract::each_interface!(link_each);

fn link_call<C: Adapter>(instance: &mut LinkerInstance<'_, Run>) -> wasmtime::Result<()> {
    instance.func_wrap_async(C::FUNCTION, |mut store: StoreContextMut<'_, Run>, params: C::Params| {
        Box::new(async move {
            let answer = store.data_mut().gate.call::<C>(params).await?;
            Ok((answer,))
        })
    })
}
