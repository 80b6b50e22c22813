//! An order is kept when those signed it who may, and shown to who is for all of its clients.

use model::{Digest, Mode, OrderId};
use trust::statement::{Gate, Order, OrderedPlugin, Ring};

use super::{World, asker, key, name, names, signed, time};
use crate::db::Page;

fn order(clients: &[&str], by: &str) -> trust::Signed {
    let ring = |devices: u32, word: &str| Ring { devices, root: Digest::of(word.as_bytes()) };
    let order = Order {
        tenant: Digest::of(super::root().statement()),
        id: OrderId::new(),
        by: key(by),
        counter: 1,
        from: time("2026-11-22T12:00:00Z"),
        expires: time("2026-11-29T12:00:00Z"),
        clients: names(clients),
        r#where: String::new(),
        rings: vec![ring(1, "first"), ring(9, "second")],
        gate: Some(Gate { soak_seconds: 60, failures_max_ppm: 0, absent_after_seconds: 3_600 }),
        plugin: OrderedPlugin {
            name: name("disk-cleanup"),
            version: "1.2.0".parse().unwrap(),
            digest: Digest::of(b"the plugin"),
        },
        parameters: "{}".to_owned(),
        mode: Mode::Detect,
        plan: None,
        allow: Vec::new(),
        class_max: contract::Class::L1,
        windows: None,
        standing: None,
        undoes: None,
        upgrade: None,
        comment: String::new(),
    };
    signed("2026-11-22T12:00:00Z", &order, &[by])
}

#[tokio::test]
async fn an_expression_that_no_device_would_ask_goes_to_none() {
    let world = World::new().await;
    let boss = asker("boss", &["*"]);
    let with = |text: &str| {
        let given = order(&["acme"], "tess");
        let mut body = trust::statement::read::<Order>(given.statement()).unwrap().body;
        (body.id, body.r#where) = (OrderId::new(), text.to_owned());
        signed("2026-11-22T12:00:00Z", &body, &["tess"])
    };
    let every = |depth: usize| {
        let open: String = (0..depth).map(|at| format!("volumes.all(v{at}, ")).collect();
        format!("{open}true{}", ")".repeat(depth))
    };
    for bomb in [
        every(2).replace("true", "v0 != v1"),
        every(3),
        "(".repeat(2_000),
        "client == 'a' && ".repeat(200) + "true",
        "volumes.map(v, volumes)".to_owned(),
        "clint == 'acme'".to_owned(),
    ] {
        let put = world.hub.put_document(with(&bomb), &boss).await;
        let Err(crate::Error::Invalid(told)) = put else { panic!("{bomb}: {put:?}") };
        assert!(told.iter().all(|it| it.starts_with("`where`")), "{told:?}");
    }
    for fine in ["", "client == \"acme\" && volumes.exists(v, v.free_pct < 10.0)"] {
        assert!(world.hub.put_document(with(fine), &boss).await.is_ok(), "the control: {fine}");
    }
}

#[tokio::test]
async fn an_order_is_kept_if_its_signer_may() {
    let world = World::new().await;
    let boss = asker("boss", &["*"]);
    for (what, order) in [
        ("another client's technician", order(&["acme"], "gus")),
        ("more clients than the seat has", order(&["acme", "globex"], "tess")),
        ("a device", order(&["acme"], "web")),
    ] {
        assert!(world.hub.put_document(order, &boss).await.is_err(), "{what}");
    }
    let given = order(&["acme"], "tess");
    let by_gus = world.hub.put_document(given.clone(), &asker("gus", &["globex"])).await;
    assert!(by_gus.is_err(), "handed over by who is not for its client");
    assert!(world.hub.put_document(given.clone(), &boss).await.unwrap().is_new);
    assert!(!world.hub.put_document(given, &boss).await.unwrap().is_new);
    assert!(world.hub.put_document(order(&["acme", "globex"], "boss"), &boss).await.unwrap().is_new);
    let listed = |clients: &[&str]| {
        let scope = asker("x", clients).scope;
        let orders = world.hub.db.read(&scope, |view| view.orders(None, &Page::default())).unwrap().items;
        orders.into_iter().map(|it| (it.plugin, it.rings.len())).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["acme"]), [("disk-cleanup 1.2.0".to_owned(), 2)]);
    assert_eq!(listed(&["globex"]), []);
    assert_eq!(listed(&["*"]).len(), 2);
    let scope = asker("tess", &["acme"]).scope;
    let signer = key("tess").fingerprint();
    let found = world.hub.db.read(&scope, move |view| view.orders(Some(&signer), &Page::default())).unwrap().items;
    let digest = found[0].digest.clone();
    assert_eq!(world.hub.db.read(&scope, move |view| view.counted(&digest)).unwrap().devices, 10);
}
