//! One of each statement of a fleet: what is ordered, stopped, let in, asked and told.

use contract::Class;
use model::{Digest, Mode, Outcome, Verdict};
use semver::Version;

use super::world::{key, name, names, time};
use crate::statement::{
    Admission, AgentRelease, Enrolment, Gate, Hub, Order, OrderedPlugin, Pause, Report, Ring, Secret, Session,
};

const ORDER: &str = "order_01KB3P3M00E5V8CXJ6ZV8Y4R5T";

pub(super) fn order(tenant: Digest) -> Order {
    let ring = |devices: u32, root: &[u8]| Ring { devices, root: Digest::of(root) };
    Order {
        tenant,
        id: ORDER.parse().unwrap(),
        by: key("tess"),
        counter: 7,
        from: time("2026-11-22T11:00:00Z"),
        expires: time("2026-11-29T11:00:00Z"),
        clients: names(&["acme"]),
        r#where: "os.family == \"debian\"".to_owned(),
        rings: vec![ring(1, b"the first"), ring(19, b"the rest")],
        gate: Some(Gate { soak_seconds: 600, failures_max_ppm: 20_000, absent_after_seconds: 86_400 }),
        plugin: OrderedPlugin {
            name: name("disk-cleanup"),
            version: Version::new(1, 2, 0),
            digest: Digest::of(b"the plugin"),
        },
        parameters: "{\"free-pct\":12.5}".to_owned(),
        mode: Mode::Enforce,
        plan: None,
        allow: vec!["files-write [scratch]".parse().unwrap()],
        class_max: Class::L2,
        windows: None,
        standing: None,
        undoes: None,
        upgrade: None,
        comment: "the disks of the web servers".to_owned(),
    }
}

pub(super) fn pause() -> Pause {
    Pause {
        serial: 1,
        expires: time("2026-11-29T00:00:00Z"),
        is_paused: true,
        clients: names(&["acme"]),
        orders: vec![ORDER.parse().unwrap()],
        reason: "it fills the disks".to_owned(),
    }
}

pub(super) fn admission() -> Admission {
    Admission {
        serial: 1,
        expires: time("2027-05-01T00:00:00Z"),
        joins_until: time("2026-11-25T00:00:00Z"),
        token: key("token"),
        client: name("acme"),
        site: name("hq"),
        tags: vec![name("server")],
        uses: 3,
    }
}

pub(super) fn enrolment(tenant: Digest) -> Enrolment {
    Enrolment { tenant, token: key("token"), device: key("device") }
}

pub(super) fn session() -> Session {
    let (from, until) = (time("2026-11-22T12:00:00Z"), time("2026-11-22T12:15:00Z"));
    Session {
        hub: Digest::of(b"the hub's authority"),
        key: key("ephemeral"),
        from,
        until,
        machine: None,
        process: None,
    }
}

pub(super) fn report(tenant: Digest, order: Digest) -> Report {
    Report {
        tenant,
        order,
        device: key("device"),
        run: Some("run_01KB3P3M00E5V8CXJ6ZV8Y4R5T".parse().unwrap()),
        attempt: 1,
        outcome: Outcome::Completed,
        verdict: Verdict::Fixed,
        refused: None,
        mode: Mode::Enforce,
        ended: time("2026-11-22T11:30:00Z"),
        plan: None,
        record: Digest::of(b"the record"),
        sequence: 2,
        previous: Some(Digest::of(b"the first result")),
    }
}

pub(super) fn hub() -> Hub {
    Hub {
        serial: 1,
        expires: time("2027-11-22T00:00:00Z"),
        addresses: vec!["https://hub.msp.example:8443".to_owned()],
        authorities: vec![Digest::of(b"the hub's authority")],
    }
}

pub(super) fn release() -> AgentRelease {
    AgentRelease {
        version: Version::new(1, 4, 0),
        target: name("x86_64-linux"),
        digest: Digest::of(b"the program"),
        size_bytes: 11,
        state: 3,
        from: Version::new(1, 2, 0),
        expires: time("2027-02-01T00:00:00Z"),
        comment: "rings wait for each other".to_owned(),
    }
}

pub(super) fn secret() -> Secret {
    Secret {
        serial: 1,
        expires: time("2027-11-22T00:00:00Z"),
        client: name("acme"),
        device: key("device"),
        name: name("halo-token"),
        places: vec!["http:api.example.com".to_owned()],
        sealed: include_str!("golden/secret.age").trim_end().to_owned(),
    }
}
