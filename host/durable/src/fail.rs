//! Named points beside every durable write, at which a test can have the process die as if the power went.

/// Every point. A test kills a run at each of them.
pub const POINTS: &[&str] = &[
    "schema.before-commit",
    "schema.after-commit",
    "document.before-commit",
    "document.after-commit",
    "event.before-commit",
    "event.after-commit",
    "aside.before-change",
    "aside.after-change",
    "files.in-temporary",
    "files.before-change",
    "files.after-change",
    "secret.before-change",
    "secret.after-change",
    "compiled.in-key",
    "compiled.before-change",
    "compiled.after-change",
    "whole.before-change",
    "whole.after-change",
    "suspended.before-plugin",
    "suspended.before-unit",
    "suspended.before-link",
    "suspended.after-link",
    "upgrade.before-program",
    "upgrade.after-program",
    "upgrade.before-attempt",
    "upgrade.after-attempt",
    "upgrade.before-stage",
    "upgrade.after-stage",
    "upgrade.trying",
    "upgrade.before-link",
    "upgrade.after-link",
];

/// Dies here where `REMIT_FAIL_POINT` names this point: `NAME`, or `NAME:N` for the N-th time that it is reached. Release
/// builds do not look.
pub fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name), "`{name}` is not in fail::POINTS");
    die_at(name);
}

/// The same for a crate that lists its points itself.
pub fn die_at(name: &'static str) {
    #[cfg(all(debug_assertions, unix))]
    armed::die_at(name);
    #[cfg(not(all(debug_assertions, unix)))]
    let _ = name;
}

#[cfg(all(debug_assertions, unix))]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        after: AtomicU32,
    }

    #[expect(clippy::disallowed_methods, reason = "a debug build's test hook, not configuration")]
    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("REMIT_FAIL_POINT").ok()?;
        let (name, after) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Armed { name: name.to_owned(), after: AtomicU32::new(after.parse().unwrap_or(1)) })
    });

    pub(super) fn die_at(name: &str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else {
            return;
        };
        if armed.after.fetch_sub(1, Ordering::Relaxed) == 1 {
            // SIGKILL: no destructor, no buffer flushed, as close to a power cut as a process can come.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
