//! `run`: always linked, never granted. It tells and records, and reaches no backend.

use std::time::Duration;

use contract::Maskable;
use contract::run::{Context, LogLevel, Trigger};
use contract::types::{Attributes, Error, ErrorKind};
use model::Phase;
use tokio_util::sync::CancellationToken;
use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;

use crate::state::Run;

/// The most bytes of a line in the log; the rest is cut.
const LINE_BYTES_MAX: usize = 8 << 10;
/// The most bytes of a checkpoint.
const CHECKPOINT_BYTES_MAX: usize = 64 << 10;
/// The most checkpoints of a run: each stays in the record, and only the last one counts.
const CHECKPOINTS_MAX: u32 = 1_000;
/// How often a second a waiting person is told how far it is.
const PROGRESS_PER_SECOND_MAX: u32 = 10;

pub(crate) fn link(instance: &mut LinkerInstance<'_, Run>) -> wasmtime::Result<()> {
    instance.func_wrap("get-context", |store: StoreContextMut<'_, Run>, ()| -> wasmtime::Result<(Context,)> {
        Ok((store.data().told.context.clone(),))
    })?;
    instance.func_wrap("get-parameters", |store: StoreContextMut<'_, Run>, ()| -> wasmtime::Result<(String,)> {
        Ok((store.data().told.parameters.clone(),))
    })?;
    instance.func_wrap("get-trigger", |store: StoreContextMut<'_, Run>, ()| -> wasmtime::Result<(Trigger,)> {
        Ok((store.data().told.trigger.clone(),))
    })?;
    instance.func_wrap(
        "log",
        |store: StoreContextMut<'_, Run>, (level, message, fields): (LogLevel, String, Attributes)| {
            store.data().gate.journal.log(level, cut(message), fields);
            Ok(())
        },
    )?;
    instance.func_wrap("progress", |mut store: StoreContextMut<'_, Run>, (percent, message): (u32, String)| {
        progress(store.data_mut(), percent, cut(message));
        Ok(())
    })?;
    instance.func_wrap(
        "metric",
        |store: StoreContextMut<'_, Run>, (name, value, unit, labels): (String, f64, String, Attributes)| {
            metric(store.data(), name, value, unit, labels);
            Ok(())
        },
    )?;
    instance.func_wrap("is-cancelled", |store: StoreContextMut<'_, Run>, ()| {
        Ok((store.data().gate.facts().caller.cancel.is_cancelled(),))
    })?;
    instance.func_wrap("now", |store: StoreContextMut<'_, Run>, ()| Ok((store.data().inputs.now_ms(),)))?;
    instance.func_wrap_async("sleep", |store: StoreContextMut<'_, Run>, (millis,): (u32,)| {
        // The store itself cannot be held while waiting: other threads may poll.
        let waits = !store.data().inputs.skip(Duration::from_millis(u64::from(millis)));
        let cancel = waits.then(|| store.data().gate.facts().caller.cancel.clone());
        Box::new(async move { Ok((sleep(cancel, millis).await,)) })
    })?;
    instance.func_wrap_async("checkpoint", |mut store: StoreContextMut<'_, Run>, (state,): (Vec<u8>,)| {
        Box::new(async move {
            let run = store.data_mut();
            let answer = checkpoint(run, state);
            run.gate.flush_if_full().await?;
            Ok((answer,))
        })
    })?;
    instance.func_wrap("resumed", |store: StoreContextMut<'_, Run>, ()| Ok((store.data().told.resumed.clone(),)))
}

fn progress(run: &mut Run, percent: u32, mut message: String) {
    message.mask(run.gate.journal.mask());
    let second = run.gate.journal.now_ms() / 1_000;
    let progress = &mut run.progress;
    if progress.second != second {
        (progress.second, progress.told_in_second) = (second, 0);
    }
    if progress.told_in_second < PROGRESS_PER_SECOND_MAX {
        progress.told_in_second += 1;
        run.gate.journal.observer().progress(percent.min(100), &message);
    }
}

/// A metric is a line like any other: it takes from the log's budget.
fn metric(run: &Run, name: String, value: f64, unit: String, labels: Attributes) {
    let journal = &run.gate.journal;
    match value.is_nan() {
        true => journal.log(LogLevel::Warn, format!("metric `{}` is not a number: dropped", cut(name)), Vec::new()),
        false => journal.metric(cut(name), value, cut(unit), labels),
    }
}

/// False where the run was cancelled meanwhile. Where time is virtual there is no token, and nothing is waited for.
async fn sleep(cancel: Option<CancellationToken>, millis: u32) -> bool {
    let Some(cancel) = cancel else { return true };
    tokio::select! {
        () = cancel.cancelled() => false,
        () = tokio::time::sleep(Duration::from_millis(u64::from(millis))) => true,
    }
}

fn checkpoint(run: &mut Run, state: Vec<u8>) -> Result<(), Error> {
    if run.gate.phase() != Phase::Remediate {
        return Err(Error::new(ErrorKind::Denied, "phase", "only `remediate` is gone on with after a reboot"));
    }
    if state.len() > CHECKPOINT_BYTES_MAX {
        let message = format!("a checkpoint has at most {CHECKPOINT_BYTES_MAX} bytes, this one {}", state.len());
        return Err(Error::new(ErrorKind::Limit, "checkpoint-bytes", message));
    }
    if run.checkpoints >= CHECKPOINTS_MAX {
        let message = format!("a run keeps at most {CHECKPOINTS_MAX} checkpoints");
        return Err(Error::new(ErrorKind::Limit, "checkpoints", message));
    }
    run.checkpoints += 1;
    run.gate.journal.checkpoint(state.clone());
    run.checkpoint = Some(state);
    Ok(())
}

fn cut(mut text: String) -> String {
    if text.len() > LINE_BYTES_MAX {
        let end = (0..=LINE_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
