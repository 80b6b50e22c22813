//! Named points beside durable writes, at which a test can have the process die as if the power went.

/// Every point that a hub passes that serves. A test kills a hub at each of them.
pub const POINTS: [&str; 7] = [
    "hub.before-schema",
    "hub.after-schema",
    "hub.before-commit",
    "hub.after-commit",
    "delivery.filled",
    "delivery.opened",
    "delivery.ended",
];

/// Those that a restore passes. A test kills one at each of them.
pub const OF_RESTORE: [&str; 2] = ["restore.before-change", "restore.after-change"];

/// Dies here where `REMIT_FAIL_POINT` names this point, as [`durable::fail::point`] has it. Release builds do not look.
pub(crate) fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name) || OF_RESTORE.contains(&name), "`{name}` is not in fail::POINTS");
    durable::fail::die_at(name);
}
