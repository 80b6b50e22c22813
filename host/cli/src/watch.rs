//! Progress for a waiting person: nothing for what takes under a second, nothing where nobody watches.

use std::time::Duration;

use contract::run::LogLevel;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::Observer;
use tokio_util::sync::CancellationToken;

use crate::output;

/// What takes longer than this shows that it is alive.
const QUIET: Duration = Duration::from_secs(1);

/// A spinner that shows itself after a second.
pub(crate) struct Spinner {
    bar: ProgressBar,
    tells: bool,
}

impl Spinner {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(message: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        let shown = bar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            if !shown.is_finished() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        Self { bar, tells: true }
    }

    /// One that leaves the log to whoever shows it afterwards.
    pub(crate) fn silent(message: &str) -> Self {
        let mut silent = Self::new(message);
        silent.tells = false;
        silent
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Lets a run go on for a person who waits, and may stop it with Ctrl-C.
pub(crate) async fn attended<T>(spinner: &Spinner, cancel: &CancellationToken, run: impl Future<Output = T>) -> T {
    let cancel = cancel.clone();
    let stop = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let ended = run.await;
    stop.abort();
    spinner.finish();
    ended
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Spinner {
    fn progress(&self, percent: u32, message: &str) {
        self.bar.set_message(format!("{percent} % {}", output::one_line(message)));
    }

    fn log(&self, level: LogLevel, message: &str) {
        if self.tells && matches!(level, LogLevel::Warn | LogLevel::Error) {
            let line = format!("{}: {}", level.word(), output::one_line(message));
            self.bar.suspend(|| output::say(&line));
        }
    }
}
