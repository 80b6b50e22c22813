//! What it costs that a plugin is believed by its signatures, and not by where it lies.

use std::path::{Path, PathBuf};

use artifact::{Cache, Plugin};
use model::{Digest, Mode, RunId};
use runtime::MemoryRecorder;
use tempfile::TempDir;
use trust::statement::{End, Revocation};
use trust::{Folder, Request, Statement, Trust, file};
use wasm_encoder::{ComponentSection as _, CustomSection};

use crate::Bench;
use crate::documents::{self, Made, day, name};
use crate::host::{self, Host};
use crate::row::{Bar, Row, Unit};
use crate::sample::{in_turns, timed};

/// What verifying may add to a warm run, in microseconds.
const ADDED_MOST: f64 = 1_000.0;

const MIB: usize = 1 << 20;

/// A folder of what is believed, and a plugin beside it that everybody vouches for.
struct Believed {
    folder: TempDir,
    cache: Cache,
    plugin: PathBuf,
}

impl Believed {
    /// Of a plugin of so many bytes, on a host that keeps so many revocations.
    fn new(bench: &Bench, bytes: usize, revocations: usize) -> Self {
        let folder = bench.on_tmpfs();
        let plugin = folder.path().join("stopwatch.wasm");
        std::fs::write(&plugin, padded(&bench.stopwatch, bytes)).unwrap();
        let cache = Cache::open(folder.path().join("compiled")).unwrap();
        let it = Self { folder, cache, plugin };
        let about = it.read();
        let wishes = about.manifest().wishes(&about.parameters(serde_json::Map::new()).unwrap()).unwrap();
        file::write(&file::statement_of(&it.plugin), &Made::new(about.statement().unwrap(), -9, &["remit"]).signed())
            .unwrap();
        std::fs::create_dir(it.folder.path().join("trust")).unwrap();
        let root = Made::new(documents::root(), -10, &["ann", "ben"]).signed();
        let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
        it.kept().pin(&trust, &root).unwrap();
        it.keep(&mut trust, Made::new(documents::roster(), -10, &["ann", "ben"]));
        it.keep(&mut trust, Made::new(documents::approval("stopwatch", about.digest(), wishes), -8, &["rob"]));
        for at in 0..revocations {
            let plugins = vec![Digest::of(&at.to_le_bytes())];
            let reason = "it does harm".to_owned();
            let revocation = Revocation { end: End::Compromised, plugins, keys: vec![], statements: vec![], reason };
            // Each that is taken has all of them settled again, and a bench does not measure that.
            let document = Made::new(revocation, -7, &["rob"]).signed();
            let file = it.folder.path().join(format!("trust/revocation/{at}.signed"));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, document.to_text()).unwrap();
        }
        it.load();
        it
    }

    fn keep<T: Statement>(&self, trust: &mut Trust, document: Made<T>) {
        let signed = document.signed();
        let taken = trust.take(&signed, day(0)).unwrap();
        self.kept().keep(&taken, &signed, trust).unwrap();
    }

    fn kept(&self) -> Folder {
        Folder::new(self.folder.path().join("trust"))
    }

    fn load(&self) -> Trust {
        let loaded = self.kept().load().unwrap().unwrap();
        assert!(loaded.left_out.is_empty());
        loaded.trust
    }

    /// The plugin out of its file: its digest, and its label out of the cache.
    fn read(&self) -> Plugin {
        artifact::verify_local(std::fs::read(&self.plugin).unwrap(), Some(&self.cache)).unwrap()
    }

    /// Whether it may run: signatures, expiry and revocations, now.
    fn decide(&self, trust: &Trust, plugin: Plugin) {
        let statement = file::read(&file::statement_of(&self.plugin)).unwrap();
        let wishes = plugin.manifest().wishes(&plugin.parameters(serde_json::Map::new()).unwrap()).unwrap();
        let decision = trust.decide(&Request {
            plugin: &plugin.statement().unwrap(),
            statement: &statement,
            client: Some(&name("acme")),
            tags: &[],
            mode: Mode::Detect,
            wishes: &wishes,
            is_downgrade_meant: false,
            now: day(0),
        });
        let approved = decision.approved.unwrap_or_else(|| panic!("{:?}", decision.checks));
        assert!(plugin.approved(approved).is_some());
    }
}

/// The plugin with a section more that nobody reads.
fn padded(plugin: &Path, bytes: usize) -> Vec<u8> {
    let mut component = std::fs::read(plugin).unwrap();
    let data = vec![7; bytes - component.len() - 64];
    CustomSection { name: "padding".into(), data: data.into() }.append_to_component(&mut component);
    component
}

/// One of 1 MiB, read and verified anew for each run, on a host that keeps so many revocations.
pub(crate) fn warm(bench: &Bench, revocations: usize) -> Row {
    let believed = Believed::new(bench, MIB, revocations);
    let trust = believed.load();
    let row = beside_run(bench, || believed.decide(&trust, believed.read()));
    Row { work: "a warm run of a plugin of 1 MiB, read and verified anew", ..row }
}

/// A larger one: read when it was prepared. Whether it may run is asked each time.
pub(crate) fn large(bench: &Bench) -> Row {
    let believed = Believed::new(bench, 16 * MIB, 1_000);
    let (trust, plugin) = (believed.load(), believed.read());
    let row = beside_run(bench, || believed.decide(&trust, plugin.clone()));
    Row { work: "the same of 16 MiB, verified when it was prepared; expiry and revocation now", ..row }
}

fn beside_run(bench: &Bench, verify: impl Fn()) -> Row {
    let tokio = host::tokio();
    let host = tokio.block_on(Host::timed(&bench.stopwatch));
    let run = || tokio.block_on(host.run_by_default(RunId::new(), Box::new(MemoryRecorder::default())));
    let (baseline, subject) = in_turns(
        300,
        || timed(run),
        || {
            timed(|| {
                verify();
                run();
            })
        },
    );
    Row {
        peer: "without",
        bar: Some(Bar::More { by: ADDED_MOST, because: "for verifying" }),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// A process that begins on a host with so many revocations: beside one that has to verify each.
pub(crate) fn load(bench: &Bench, revocations: usize) -> Row {
    let believed = Believed::new(bench, MIB, revocations);
    let known = believed.folder.path().join("trust/known.json");
    let (baseline, subject) = in_turns(
        20,
        || {
            std::fs::remove_file(&known).unwrap();
            timed(|| drop(believed.load()))
        },
        || timed(|| drop(believed.load())),
    );
    Row {
        work: "what is believed is read by a process that begins",
        peer: "each signature verified",
        bar: Some(Bar::Times(0.5)),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}
