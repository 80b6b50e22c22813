//! How the snapshot reads an instance: wasmtime-wizer's own is behind a feature that brings much else.

use wasmtime::Store;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime_wizer::ComponentInstanceState;

/// An instance that `initialize` was called in.
pub(crate) struct Initialized<'a> {
    pub(crate) store: &'a mut Store<()>,
    pub(crate) instance: Instance,
}

#[expect(clippy::expect_used, reason = "what wizer put into the component is there")]
impl Initialized<'_> {
    async fn call<R: Lift + 'static, T>(
        &mut self,
        instance: &str,
        function: &str,
        read: impl FnOnce(&mut Store<()>, R) -> T,
    ) -> T {
        let (_, instance) = self.instance.get_export(&mut *self.store, None, instance).expect("wizer's own");
        let (_, function) = self.instance.get_export(&mut *self.store, Some(&instance), function).expect("wizer's own");
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *self.store, function).expect("wizer's own");
        let (answer,) = function.call_async(&mut *self.store, ()).await.expect("wizer's own");
        read(self.store, answer)
    }
}

impl ComponentInstanceState for Initialized<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, function: &str, contents: impl FnOnce(&[u8]) + Send) {
        self.call(instance, function, |store, list: WasmList<u8>| contents(list.as_le_slice(&store))).await;
    }

    async fn call_func_ret_s32(&mut self, instance: &str, function: &str) -> i32 {
        self.call(instance, function, |_, answer| answer).await
    }

    async fn call_func_ret_s64(&mut self, instance: &str, function: &str) -> i64 {
        self.call(instance, function, |_, answer| answer).await
    }

    async fn call_func_ret_f32(&mut self, instance: &str, function: &str) -> u32 {
        self.call(instance, function, |_, answer: f32| answer.to_bits()).await
    }

    async fn call_func_ret_f64(&mut self, instance: &str, function: &str) -> u64 {
        self.call(instance, function, |_, answer: f64| answer.to_bits()).await
    }
}
