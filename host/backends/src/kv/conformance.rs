//! What every backend of `kv` and `kv-write` does alike, and that an overlay leaves its base alone.

use std::sync::Arc;

use contract::kv::{GetValue, ListKeys};
use contract::kv_write::{Backend as _, PutValue, RemoveValue};
use contract::types::{Effect, ErrorKind};
use contract::{kv, kv_write};
use model::{Clock, ManualClock};

use crate::testing::context;
use crate::{Shared, Undoer};

use super::{Documents, Overlay};

fn documents(clock: &Arc<ManualClock>) -> Documents {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Documents::new(&Shared::in_memory(clock).unwrap())
}

fn put(key: &str, value: &str, expected_revision: Option<u64>, ttl_seconds: u32) -> PutValue {
    PutValue { key: key.into(), value: value.into(), expected_revision, ttl_seconds }
}

fn remove(key: &str, expected_revision: Option<u64>) -> RemoveValue {
    RemoveValue { key: key.into(), expected_revision }
}

async fn value(kv: &impl kv::Backend, key: &str) -> Option<(String, u64)> {
    let entry = kv.get_value(&context(), &GetValue { key: key.into() }).await.unwrap();
    entry.map(|entry| (entry.value, entry.revision))
}

async fn keys(kv: &impl kv::Backend, prefix: &str, after: &str) -> Vec<String> {
    kv.list_keys(&context(), &ListKeys { prefix: prefix.into(), after: after.into() }).await.unwrap()
}

async fn suite(kv: &(impl kv::Backend + kv_write::Backend)) {
    let cx = context();
    let change = kv.put_value(&cx, &put("a/1", "one", Some(0), 0)).await.unwrap();
    assert_eq!((change.effect, change.before, change.after), (Effect::Changed, None, Some("1".into())));
    assert_eq!(kv.put_value(&cx, &put("a/1", "x", Some(0), 0)).await.unwrap_err().kind, ErrorKind::Conflict);
    let change = kv.put_value(&cx, &put("a/1", "two", Some(1), 0)).await.unwrap();
    assert_eq!((change.before, change.after), (Some("1".into()), Some("2".into())));
    assert_eq!(value(kv, "a/1").await, Some(("two".into(), 2)));

    kv.put_value(&cx, &put("a/2", "x", None, 0)).await.unwrap();
    kv.put_value(&cx, &put("b", "x", None, 0)).await.unwrap();
    assert_eq!(keys(kv, "a/", "").await, ["a/1", "a/2"]);
    assert_eq!(keys(kv, "", "a/1").await, ["a/2", "b"]);

    assert_eq!(kv.remove_value(&cx, &remove("none", None)).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(kv.remove_value(&cx, &remove("a/1", Some(1))).await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(kv.remove_value(&cx, &remove("a/1", Some(2))).await.unwrap().before, Some("2".into()));
    assert_eq!(value(kv, "a/1").await, None);
    kv.put_value(&cx, &put("a/1", "again", Some(0), 0)).await.unwrap();
    assert_eq!(value(kv, "a/1").await, Some(("again".into(), 4)), "a revision is never given twice");

    for (bad, code) in [(put("", "x", None, 0), "key"), (put("k", &"x".repeat(65_537), None, 0), "value")] {
        let error = kv.put_value(&cx, &bad).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, code));
    }
    kv.put_value(&cx, &put("k", &"x".repeat(65_536), None, 0)).await.unwrap();
}

#[tokio::test]
async fn documents_conform() {
    suite(&documents(&Arc::default())).await;
}

#[tokio::test]
async fn the_overlay_conforms_and_leaves_its_base_alone() {
    let base = Arc::new(documents(&Arc::default()));
    let overlay = Overlay::new(base.clone(), Arc::new(ManualClock::default()));
    suite(&overlay).await;
    assert_eq!(keys(&*base, "", "").await, [""; 0]);
}

#[tokio::test]
async fn the_overlay_shows_its_base_where_nothing_is_planned() {
    let base = Arc::new(documents(&Arc::default()));
    base.put_value(&context(), &put("kept", "x", None, 0)).await.unwrap();
    base.put_value(&context(), &put("gone", "x", None, 0)).await.unwrap();
    let overlay = Overlay::new(base.clone(), Arc::new(ManualClock::default()));
    overlay.remove_value(&context(), &remove("gone", None)).await.unwrap();
    assert_eq!(keys(&overlay, "", "").await, ["kept"]);
    assert_eq!(keys(&*base, "", "").await, ["gone", "kept"]);
}

#[tokio::test]
async fn a_value_expires() {
    let clock = Arc::new(ManualClock::new(1_000));
    let kv = documents(&clock);
    kv.put_value(&context(), &put("k", "x", None, 60)).await.unwrap();
    clock.advance(59_999);
    assert!(value(&kv, "k").await.is_some());
    clock.advance(1);
    assert!(value(&kv, "k").await.is_none());
}

#[tokio::test]
async fn undo_takes_back_what_nobody_changed_since() {
    let kv = documents(&Arc::default());
    let cx = context();
    kv.put_value(&cx, &put("k", "old", None, 0)).await.unwrap();
    cx.take_undo();
    kv.put_value(&cx, &put("k", "new", None, 0)).await.unwrap();
    let undo = cx.take_undo().remove(0);
    kv.put_value(&cx, &put("k", "newer", None, 0)).await.unwrap();
    assert_eq!(kv.undo(&cx, &undo).await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(value(&kv, "k").await, Some(("newer".into(), 3)), "newer work is left alone");

    cx.take_undo();
    kv.remove_value(&cx, &remove("k", None)).await.unwrap();
    let undo = cx.take_undo().remove(0);
    kv.undo(&cx, &undo).await.unwrap();
    assert_eq!(value(&kv, "k").await.unwrap().0, "newer");

    cx.take_undo();
    kv.put_value(&cx, &put("fresh", "x", None, 0)).await.unwrap();
    let undo = cx.take_undo().remove(0);
    kv.undo(&cx, &undo).await.unwrap();
    assert_eq!(value(&kv, "fresh").await, None);
}

#[tokio::test]
async fn a_key_that_was_written_twice_is_undone_in_two_steps() {
    let kv = documents(&Arc::default());
    let cx = context();
    kv.put_value(&cx, &put("k", "old", None, 0)).await.unwrap();
    cx.take_undo();
    kv.put_value(&cx, &put("k", "new", None, 0)).await.unwrap();
    kv.put_value(&cx, &put("k", "newer", None, 0)).await.unwrap();
    for undo in cx.take_undo().iter().rev() {
        kv.undo(&cx, undo).await.unwrap();
    }
    assert_eq!(value(&kv, "k").await.unwrap().0, "old");
}
