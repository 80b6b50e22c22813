//! A plugin, the documents that let it run, and a machine that believes them: everything is right, for a row to make one thing
//! wrong.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use model::{Digest, Event, Manifest};
use serde_json::Value;
use store::Store;
use tests::Remit;
use tests::remit::Ran;
use trust::statement::{Approval, Plugin, Root, Roster};
use trust::{Folder, Signed, Trust, file};

use crate::components;
use crate::documents::{self, Made, day, grants, name};

/// What becomes of bytes on their way.
pub(crate) type Change = Arc<dyn Fn(&mut Vec<u8>)>;

/// What becomes of a statement on its way.
pub(crate) type ChangeSigned = Arc<dyn Fn(Signed) -> Signed>;

/// Everything that a run depends on.
pub(crate) struct Scene {
    pub(crate) root: Made<Root>,
    pub(crate) roster: Made<Roster>,
    /// The file, as its publisher built it.
    pub(crate) plugin: Vec<u8>,
    /// What its publisher says of it.
    pub(crate) said: Made<Plugin>,
    pub(crate) approval: Made<Approval>,
    /// What else is believed, or not: brought by `remit take`, a file each.
    pub(crate) later: Vec<Signed>,
    /// Whether roster and approval are brought so too, because one of them is what is wrong.
    pub(crate) brings_all: bool,
    /// What becomes of the file on its way.
    pub(crate) carry: Change,
    /// What becomes of the statement beside it.
    pub(crate) carry_statement: ChangeSigned,
    /// Versions that ran before.
    pub(crate) ran: Vec<&'static str>,
    pub(crate) client: &'static str,
}

/// What came of it.
pub(crate) struct Played {
    /// The codes that `remit take` told, of all documents.
    pub(crate) taken: Vec<String>,
    pub(crate) ran: Ran,
    pub(crate) compiled: u64,
    pub(crate) mapped: u64,
    /// Whether any guest of any run was entered.
    pub(crate) is_entered: bool,
}

/// A component that finds everything in order, with this manifest inside.
pub(crate) fn plugin(called: &str, version: &str) -> Vec<u8> {
    static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| components::grows(1));
    with_manifest(COMPONENT.clone(), called, version)
}

pub(crate) fn with_manifest(component: Vec<u8>, called: &str, version: &str) -> Vec<u8> {
    let text = format!(
        r#"[plugin]
        name = "{called}"
        version = "{version}"
        publisher = "remit"
        description = "Tidies up"
        license = "Apache-2.0"
        [capabilities]
        device = {{ reason = "Reads what the machine is" }}
        files-write = {{ scope = ["scratch"], reason = "Tidies up" }}"#
    );
    artifact::embed(component, &Manifest::from_toml(&text, None).unwrap(), &[])
}

/// What a publisher says of these bytes.
pub(crate) fn about(plugin: &[u8]) -> Plugin {
    artifact::verify_local(plugin.to_vec(), None).unwrap().statement().unwrap()
}

impl Scene {
    pub(crate) fn new() -> Self {
        let plugin = plugin("tidy", "1.2.0");
        let about = about(&plugin);
        let mut roster = documents::roster();
        roster.publishers.push(documents::seat("remit", crate::hardware::key()));
        let approval =
            documents::approval("tidy", about.digest, grants(&[("device", &[]), ("files-write", &["scratch"])]));
        Self {
            root: Made::new(documents::root(), -250, &["ann", "ben"]),
            roster: Made::new(roster, -200, &["ann", "ben"]),
            said: Made::new(about, -100, &["remit"]),
            approval: Made::new(approval, -50, &["rob"]),
            plugin,
            later: Vec::new(),
            brings_all: false,
            carry: Arc::new(|_| ()),
            carry_statement: Arc::new(|signed| signed),
            ran: Vec::new(),
            client: "acme",
        }
    }

    /// On a machine of its own, all of it, and then the run.
    pub(crate) fn play(&self) -> Played {
        let place = self.laid();
        let taken = place.take(&self.later(self.brings_all));
        self.ran.iter().for_each(|version| self.run_before(&place, version));
        let mut plugin = self.plugin.clone();
        (self.carry)(&mut plugin);
        place.lay("tidy.wasm", &plugin, &(self.carry_statement)(self.said.signed()));
        Played { taken, ..place.run("tidy.wasm", self.client) }
    }

    /// A machine that pins the root, and believes what does not come later.
    pub(crate) fn laid(&self) -> Place {
        let remit = Remit::new();
        let (folder, trusted) = (remit.folder("here"), remit.state().join("trust"));
        fs::create_dir_all(&trusted).unwrap();
        let (kept, root) = (Folder::new(trusted), self.root.signed());
        let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
        kept.pin(&trust, &root).unwrap();
        for document in self.first(self.brings_all) {
            let taken = trust.take(&document, day(0)).unwrap();
            kept.keep(&taken, &document, &trust).unwrap();
        }
        Place { remit, folder }
    }

    fn first(&self, brings_all: bool) -> Vec<Signed> {
        if brings_all { Vec::new() } else { vec![self.roster.signed(), self.approval.signed()] }
    }

    fn later(&self, brings_all: bool) -> Vec<Signed> {
        let mut later = if brings_all { self.first(false) } else { Vec::new() };
        later.extend(self.later.clone());
        later
    }

    /// Another version of the plugin runs, approved by an approval of its own.
    fn run_before(&self, place: &Place, version: &str) {
        let bytes = plugin("tidy", version);
        let said = Made { body: about(&bytes), ..self.said.clone() };
        let mut approval = self.approval.clone();
        (approval.body.name, approval.body.plugins) = (name("before"), vec![said.body.digest]);
        assert_eq!(place.take(&[approval.signed()]), [""; 0]);
        place.lay("before.wasm", &bytes, &said.signed());
        place.run("before.wasm", "acme").ran.expect(0);
    }
}

/// A machine, and a folder for what comes to it.
pub(crate) struct Place {
    pub(crate) remit: Remit,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// Has it take documents, a file each; the codes of those that it does not.
    pub(crate) fn take(&self, documents: &[Signed]) -> Vec<String> {
        let mut codes = Vec::new();
        for (at, document) in documents.iter().enumerate() {
            let path = self.folder.join(format!("{at}.statement"));
            file::write(&path, document).unwrap();
            let ran = self.remit.run(&["take", path.to_str().unwrap()]);
            let told: Vec<String> = ran.codes().into_iter().map(str::to_owned).collect();
            assert_eq!(ran.code, Some(if told.is_empty() { 0 } else { 20 }), "{ran}");
            codes.extend(told);
        }
        codes
    }

    /// A plugin's file with its statement beside it.
    pub(crate) fn lay(&self, file_name: &str, plugin: &[u8], statement: &Signed) {
        let path = self.folder.join(file_name);
        fs::write(&path, plugin).unwrap();
        file::write(&file::statement_of(&path), statement).unwrap();
    }

    /// Runs it, in the mode that needs most.
    pub(crate) fn run(&self, file_name: &str, client: &str) -> Played {
        let (touched, scratch) = (self.folder.join("touched.json"), self.remit.folder("scratch"));
        let bind = format!("scratch={}", scratch.display());
        let path = self.folder.join(file_name);
        let before = self.entered();
        let args = ["--touched", touched.to_str().unwrap(), "run", path.to_str().unwrap(), "--mode", "enforce"];
        let ran = self.remit.run(&[&args[..], &["--client", client, "--bind", &bind]].concat());
        let counted: Value = serde_json::from_slice(&fs::read(&touched).unwrap()).unwrap();
        let count = |name: &str| counted[name].as_u64().unwrap();
        let (compiled, mapped) = (count("compiled"), count("mapped"));
        Played { taken: Vec::new(), ran, compiled, mapped, is_entered: self.entered() > before }
    }

    /// In how many of the runs that it remembers a guest was entered.
    fn entered(&self) -> usize {
        let store = Store::open(&self.remit.state()).unwrap();
        let is_entered =
            |run| store.events(run).unwrap().iter().any(|it| matches!(it.event, Event::PhaseStarted { .. }));
        store.runs(100).unwrap().into_iter().filter(|it| is_entered(it.run)).count()
    }
}
