//! What runs of ours brought about. `EVENTS.md` has the table.

use std::path::Path;

use model::RunId;
use serde::{Deserialize, Serialize};

use crate::{Found, Log, Notice, Watch};

/// The most orders that lead to each other: whoever chains more has lost the thread.
pub(super) const CHAIN_MAX: usize = 8;

/// The folder in which the backend of files keeps what was replaced or removed (`host/backends/src/files/linux/quarantine.rs`).
const KEPT_IN: &str = ".remit-quarantine";

/// A run of ours that is under way, or ended not long ago: whoever keeps these drops them a day after their end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecentRun {
    /// The run.
    pub run: RunId,
    /// Its order; none, where a person started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// When it started; milliseconds since 1970.
    pub start_ms: i64,
    /// When it ended; none, where it is under way or waits for a reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<i64>,
    /// The orders that led to it, the first one first, without its own: `chain` of the event that it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// What it changed so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Touched>,
}

/// Something that a run changed, or may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Touched {
    /// The interface, such as `files-write`.
    pub interface: String,
    /// The function, such as `write-file`.
    pub function: String,
    /// What was changed, in the interface's words.
    pub target: String,
    /// Of files: where that is on the device, and what was left there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Found>,
}

impl Touched {
    /// Whether nobody knows what was left there.
    pub(crate) fn is_open(&self) -> bool {
        self.at.as_ref().is_none_or(|at| at.content.is_unknown())
    }
}

/// What brought a notice about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The run.
    pub run: RunId,
    /// The orders that led to it and its own, which is last; empty, where a person started it.
    pub chain: Vec<String>,
    /// Whether the source said so, or the run changed what the notice is about; else the run may have, and nobody knows.
    pub is_certain: bool,
}

/// The run that brought a notice about, as far as that can be told; the latest, where it may have been several.
pub fn attribute(notice: &Notice, watch: &Watch, runs: &[RecentRun]) -> Option<Attribution> {
    attributions(notice, watch, runs).into_iter().next()
}

/// All runs that may have brought it about: first those that did for certain, then the latest first.
pub(super) fn attributions(notice: &Notice, watch: &Watch, runs: &[RecentRun]) -> Vec<Attribution> {
    if let Some(run) = notice.cause {
        let known = runs.iter().find(|it| it.run == run);
        return vec![Attribution { run, chain: known.map(led_to).unwrap_or_default(), is_certain: true }];
    }
    let is_away = notice.data.get("while-away").is_some_and(|it| *it == true);
    let settle_ms = settle_ms(watch);
    let is_then = |run: &&RecentRun| {
        // What is under way counts, whatever a clock says that may have been set since it started.
        let since_end_ms = run.end_ms.map(|end_ms| notice.at_ms.saturating_sub(end_ms));
        let is_in_time = since_end_ms.is_none_or(|since_ms| since_ms <= settle_ms && notice.at_ms >= run.start_ms);
        // What changed while nobody looked is noticed late.
        is_in_time || (is_away && run.effects.iter().any(|touched| left(touched, notice).is_some_and(|is| is)))
    };
    let mut all: Vec<(bool, i64, Attribution)> = Vec::new();
    for run in runs.iter().filter(is_then).filter(|run| !is_of_somebody_else(run, notice)) {
        let links = run.effects.iter().filter_map(|touched| link(watch, notice, touched));
        let strongest = links.max().or_else(|| is_load(watch).then_some(Link::Possible));
        if let Some(link) = strongest {
            let is_certain = link == Link::Same;
            all.push((is_certain, run.start_ms, Attribution { run: run.run, chain: led_to(run), is_certain }));
        }
    }
    all.sort_by_key(|(is_certain, start_ms, _)| std::cmp::Reverse((*is_certain, *start_ms)));
    all.into_iter().map(|(_, _, attribution)| attribution).collect()
}

/// The orders that led to what a run brings about.
fn led_to(run: &RecentRun) -> Vec<String> {
    run.chain.iter().chain(&run.order).cloned().collect()
}

/// How an effect and a notice go together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    /// Such an effect can bring such an event about.
    Possible,
    /// It can, and both are about the same thing.
    Same,
}

/// What a machine that is busy raises: any run, whatever it changes.
fn is_load(watch: &Watch) -> bool {
    matches!(watch, Watch::Load { .. } | Watch::MemoryFree { .. } | Watch::Pressure { .. })
}

/// How long after its end a run counts: as long as the source may take to notice.
fn settle_ms(watch: &Watch) -> i64 {
    const SECOND: i64 = 1_000;
    match watch {
        // The load of a minute rises and falls that slowly.
        Watch::Load { .. } | Watch::Pressure { .. } => 90 * SECOND,
        Watch::ServiceState { .. } => 35 * SECOND,
        // A reboot, with all that happens before it.
        Watch::Boot => 1_800 * SECOND,
        // These are asked for rarely.
        Watch::UpdatesAvailable { .. } | Watch::RebootPending | Watch::CertificateExpiring { .. } => 900 * SECOND,
        _ => 15 * SECOND,
    }
}

/// Whether what is found is not what the run left, and the run did nothing but change files, whose content it knows: then
/// somebody else changed it since.
fn is_of_somebody_else(run: &RecentRun, notice: &Notice) -> bool {
    let is_plain = |touched: &Touched| {
        matches!(touched.interface.as_str(), "files-write" | "files-erase" | "kv-write" | "notify" | "ticket")
    };
    let mut was_left = run.effects.iter().filter_map(|touched| left(touched, notice)).peekable();
    was_left.peek().is_some()
        && !was_left.any(|is_it| is_it)
        && run.effects.iter().all(|touched| {
            is_plain(touched) && (touched.at.as_ref().is_none_or(|at| !is_same(at, notice)) || !touched.is_open())
        })
}

/// Whether what is found is what the effect left; nothing, where it is about something else, or nobody knows.
fn left(touched: &Touched, notice: &Notice) -> Option<bool> {
    let (at, found) = (touched.at.as_ref()?, notice.found.as_ref()?);
    let is_known = is_same(at, notice) && !at.content.is_unknown() && !found.content.is_unknown();
    is_known.then_some(at.content == found.content)
}

/// Whether both are one file.
fn is_same(at: &Found, notice: &Notice) -> bool {
    notice.found.as_ref().is_some_and(|found| found.path == at.path || (found.file.is_some() && found.file == at.file))
}

/// Whether an effect can have brought an event about: a row of the table each.
fn link(watch: &Watch, notice: &Notice, touched: &Touched) -> Option<Link> {
    let Touched { interface, function, target, .. } = touched;
    let any = matches!(interface.as_str(), "command-change" | "patch-install").then_some(Link::Possible);
    match (watch, interface.as_str()) {
        (Watch::RunFinished { .. } | Watch::Emitted { .. } | Watch::Login { .. } | Watch::Resume, _) => None,
        (Watch::Boot, "patch-install") if function == "request-reboot" => Some(Link::Same),
        (Watch::Boot, "command-change") => Some(Link::Possible),
        (Watch::Boot, _) => None,
        (Watch::FileChange { .. }, "files-write" | "files-erase") => of_file(notice, touched),
        (Watch::DiskFree { path, .. } | Watch::CertificateExpiring { path, .. }, "files-write") => {
            within(found_at(notice, path), touched)
        }
        (Watch::AccountChange { .. }, "files-write") => {
            let files = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
            files.into_iter().find_map(|file| within(Path::new(file), touched))
        }
        (Watch::LogMatch { log: Log::File(path), .. }, "files-write") => within(found_at(notice, path), touched),
        (Watch::LogMatch { log: Log::Journal(unit), .. }, "service-control") => {
            if unit == "*" {
                Some(Link::Possible)
            } else {
                same_service(unit, target)
            }
        }
        (Watch::LogMatch { .. }, "service-control" | "process-control") => Some(Link::Possible),
        (Watch::ServiceState { service, .. }, "service-control") => same_service(service, target),
        (Watch::ServiceState { .. }, "process-control") => Some(Link::Possible),
        (Watch::Process { name, .. }, "process-control") => {
            Some(if target == name || *target == notice.subject { Link::Same } else { Link::Possible })
        }
        (Watch::Process { .. } | Watch::ListeningPort { .. } | Watch::NetworkChange, "service-control") => {
            Some(Link::Possible)
        }
        (Watch::ListeningPort { .. }, "process-control") => Some(Link::Possible),
        (Watch::UpdatesAvailable { .. }, "patch-control" | "patch-install") => Some(Link::Same),
        (Watch::RebootPending, "patch-install") => Some(Link::Same),
        (watch, _) if is_load(watch) => Some(Link::Possible),
        _ => any,
    }
}

/// Where an effect is on the device, as far as that is known.
fn place(touched: &Touched) -> Option<&Path> {
    let target = Path::new(&touched.target);
    touched.at.as_ref().map(|at| at.path.as_path()).or_else(|| target.is_absolute().then_some(target))
}

/// The same without links, where somebody looked.
fn found_at<'a>(notice: &'a Notice, path: &'a Path) -> &'a Path {
    notice.found.as_ref().map_or(path, |found| &found.path)
}

/// Whether the file or folder of a notice is what was changed, has it in it, or was in it.
fn of_file(notice: &Notice, touched: &Touched) -> Option<Link> {
    let Some(place) = place(touched) else { return Some(Link::Possible) };
    let subject = found_at(notice, Path::new(&notice.subject));
    // What a root keeps of what was changed in it comes and goes with each change.
    let is_kept_in = subject.ends_with(KEPT_IN) && subject.parent().is_some_and(|root| place.starts_with(root));
    let is_same = touched.at.as_ref().is_some_and(|at| is_same(at, notice));
    (is_same || is_kept_in || place.starts_with(subject) || subject.starts_with(place)).then_some(Link::Same)
}

/// Whether a file is the one that is watched, or in the folder that is.
fn within(watched: &Path, touched: &Touched) -> Option<Link> {
    let Some(place) = place(touched) else { return Some(Link::Possible) };
    place.starts_with(watched).then_some(Link::Same)
}

fn same_service(one: &str, other: &str) -> Option<Link> {
    let plain = |name: &str| name.strip_suffix(".service").unwrap_or(name).to_owned();
    (plain(one) == plain(other)).then_some(Link::Same)
}
