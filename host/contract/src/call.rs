use std::pin::Pin;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Backends, Context, Footprint, Interface, Maskable, types};

/// What a backend answers, when it is ready.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, types::Error>> + Send + 'a>>;

/// One call of one function of an interface that can be granted, with its arguments.
pub trait Call: Clone + Serialize + DeserializeOwned + Footprint + Send + Sync + 'static {
    /// The interface that it belongs to.
    const INTERFACE: &'static Interface;
    /// Its name in `wit/`.
    const FUNCTION: &'static str;
    /// What it answers if it does not fail.
    type Ok: Clone + Serialize + DeserializeOwned + Footprint + Maskable + Send + Sync + 'static;

    /// Has the backend do it. Only the gate calls this.
    fn perform<'a>(&'a self, backends: &'a Backends, cx: &'a Context) -> Answer<'a, Self::Ok>;

    /// What the answer says was done; nothing for a function that reads.
    fn changes(ok: &mut Self::Ok) -> Vec<&mut types::Change>;

    /// The answer as a record keeps it.
    fn to_json(ok: &Self::Ok) -> serde_json::Value;

    /// The answer out of a record.
    fn from_json(value: serde_json::Value) -> serde_json::Result<Self::Ok>;
}

/// Where a guest's secrets live while a run lasts: outside the guest, which holds a number.
#[cfg(feature = "wasmtime")]
pub trait Handles {
    /// Keeps what a secret was opened for, and gives the number.
    fn open(&mut self, secret: crate::SecretUse) -> Result<u32, types::Error>;
    /// What the number stands for.
    fn resolve(&mut self, handle: u32) -> Result<crate::SecretUse, types::Error>;
}

/// How a call crosses from and to a guest.
#[cfg(feature = "wasmtime")]
pub trait Boundary: Call {
    /// The parameters as wasmtime lifts them.
    type Params: wasmtime::component::ComponentNamedList + wasmtime::component::Lift + Send + Sync + 'static;
    /// The answer as wasmtime lowers it.
    type Lowered: wasmtime::component::Lower + Send + Sync + 'static;

    /// The call out of its parameters.
    fn lift(params: Self::Params, handles: &mut dyn Handles) -> Result<Self, types::Error>;
    /// The answer for the guest.
    fn lower(ok: Self::Ok, handles: &mut dyn Handles) -> Result<Self::Lowered, types::Error>;
}
