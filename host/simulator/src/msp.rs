//! An MSP to play with: people with keys, documents that they signed, and plugins that they approved.

use contract::Class;
use fleet::{Parcel, Tree};
use model::{Digest, Grants, Mode, OrderId};
use trust::statement::{
    self, Approval, Assignment, Gate, Order, OrderedPlugin, Policy, Ring, Root, RootKey, Roster, Seat,
};
use trust::{Key, Name, Names, SessionKey, Signed, Signer, Statement, Time};

use crate::plugin::Label;

/// Two clients.
pub const CLIENTS: [&str; 2] = ["acme", "globex"];

/// Whose seat is for what: technicians of one client each, two of each, and two of all.
const TECHNICIANS: [(&str, &str); 6] =
    [("tess", "acme"), ("tom", "acme"), ("gus", "globex"), ("gwen", "globex"), ("boss", "*"), ("bea", "*")];

const DAY_S: i64 = 86_400;

/// An MSP, as it is at a time.
pub struct Msp {
    /// What all of it is dated by.
    pub now: Time,
    /// The root, signed.
    pub root: Signed,
    counter: u64,
}

/// A plugin with what its publisher signed.
#[derive(Clone)]
pub struct Shipped {
    /// What it is.
    pub label: Label,
    /// What was signed about it.
    pub statement: Signed,
    /// The list of its parts.
    pub list: Digest,
    /// All that there is to fetch.
    pub documents: Vec<Vec<u8>>,
}

/// A name that is one.
pub fn name(text: &str) -> Name {
    #[expect(clippy::expect_used, reason = "names in this program are names")]
    text.parse().expect("a name")
}

fn names(text: &str) -> Names {
    if text == "*" { Names::All } else { Names::These(vec![name(text)]) }
}

/// Somebody's key: the same for the same word.
pub fn signer(holder: &str) -> Signer {
    Signer::from_seed(Digest::of(holder.as_bytes()).as_bytes())
}

/// Its public half.
pub fn key(holder: &str) -> Key {
    SessionKey::from_seed(Digest::of(holder.as_bytes()).as_bytes()).key()
}

/// A statement, signed by these.
#[expect(clippy::expect_used, reason = "what this program writes is what it should be, and its keys sign")]
pub fn signed<T: Statement>(created: Time, body: &T, holders: &[&str]) -> Signed {
    let mut signed = Signed::new(statement::write(created, body).expect("a statement"), Vec::new());
    for holder in holders {
        signed.sign(&mut signer(holder)).expect("a signature");
    }
    signed
}

impl Msp {
    /// One whose documents were made a month before.
    pub fn new(now: Time) -> Self {
        let root_key = |person: &str| RootKey { person: name(person), key: key(person) };
        let keys = vec![root_key("ann"), root_key("ben")];
        let created = now.plus_seconds(-30 * DAY_S);
        let root = Root { serial: 1, expires: now.plus_days(1_000), msp: name("example-msp"), threshold: 2, keys };
        Self { now, root: signed(created, &root, &["ann", "ben"]), counter: 0 }
    }

    /// What a device pins.
    pub fn pin(&self) -> Digest {
        Digest::of(self.root.statement())
    }

    fn created(&self) -> Time {
        self.now.plus_seconds(-30 * DAY_S)
    }

    /// Who may sign what, until then.
    pub fn roster(&self, serial: u64, expires: Time) -> Signed {
        signed(self.created(), &self.roster_of(serial, expires), &["ann", "ben"])
    }

    /// The same, before anybody signed it.
    pub fn roster_of(&self, serial: u64, expires: Time) -> Roster {
        let seat = |(holder, clients): (&str, &str)| Seat {
            holder: name(holder),
            key: key(holder),
            from: self.now.plus_seconds(-100 * DAY_S),
            until: self.now.plus_days(300),
            clients: names(clients),
            class_max: Class::L4,
        };
        Roster {
            serial,
            expires,
            technicians: TECHNICIANS.into_iter().map(seat).collect(),
            reviewers: vec![seat(("rob", "*"))],
            publishers: vec![seat(("remit", "*"))],
            clients: vec![seat(("cleo", "acme")), seat(("gil", "globex"))],
            releases: Vec::new(),
        }
    }

    /// What a client allows.
    pub fn policy(&self, client: &str, serial: u64, class_max: Class) -> Signed {
        let policy = Policy {
            serial,
            expires: self.now.plus_days(300),
            client: name(client),
            class_max,
            modes: vec![Mode::Detect, Mode::DryRun, Mode::Enforce],
            publishers: names("remit"),
            never: Vec::new(),
            people: trust::statement::People::Masked,
        };
        signed(self.created(), &policy, &[if client == "acme" { "cleo" } else { "gil" }])
    }

    /// These plugins may run everywhere, with all that they ask for.
    pub fn approval(&self, plugins: &[&Shipped]) -> Signed {
        let mut grants = Grants::default();
        for wish in plugins.iter().flat_map(|it| &it.label.wishes) {
            if let Ok(wish) = wish.parse::<model::Capability>() {
                grants.add(wish.interface, wish.scope);
            }
        }
        let approval = Approval {
            name: name("everyday"),
            serial: 1,
            expires: self.now.plus_days(300),
            plugins: plugins.iter().map(|it| it.label.plugin().digest).collect(),
            grants,
            clients: Names::All,
            tags: Names::All,
            modes: vec![Mode::Detect, Mode::DryRun, Mode::Enforce],
            downgrade: false,
        };
        signed(self.created(), &approval, &["rob"])
    }

    /// Whose a device is.
    pub fn assignment(&self, device: &Key, client: &str) -> Signed {
        let assignment = Assignment {
            serial: 1,
            expires: self.now.plus_days(300),
            device: device.clone(),
            client: name(client),
            site: name("hq"),
            tags: vec![name("managed")],
        };
        signed(self.created(), &assignment, &["boss"])
    }

    /// A plugin, signed by a publisher.
    pub fn ship(&self, called: &str, version: &str, wishes: &[&str], publisher: &str) -> Shipped {
        #[expect(clippy::expect_used, reason = "versions in this program are versions")]
        let version = version.parse().expect("a version");
        let wishes = wishes.iter().map(|&it| it.to_owned()).collect();
        let label = Label { publisher: name("remit"), name: name(called), version, wishes };
        let statement = signed(self.created(), &label.plugin(), &[publisher]);
        let (text, bytes) = (statement.to_text(), label.bytes());
        #[expect(clippy::expect_used, reason = "a label is small")]
        let (list, parts) = Parcel::of(&bytes, vec![Digest::of(&text)]).expect("a list");
        let parts = parts.into_iter().map(<[u8]>::to_vec);
        let documents: Vec<Vec<u8>> = parts.chain([text.clone(), list.write()]).collect();
        Shipped { list: Digest::of(&list.write()), label, statement, documents }
    }

    /// An order of somebody that nobody signed yet: enforced, for all devices of these clients, for a week.
    pub fn order(&mut self, by: &str, clients: &str, plugin: &Shipped, class_max: Class) -> Order {
        self.counter += 1;
        let plugin = plugin.label.plugin();
        let plugin = OrderedPlugin { name: plugin.name, version: plugin.version, digest: plugin.digest };
        Order {
            tenant: self.pin(),
            id: OrderId::new(),
            by: key(by),
            counter: self.counter,
            from: self.now,
            expires: self.now.plus_days(7),
            clients: names(clients),
            r#where: String::new(),
            rings: Vec::new(),
            gate: None,
            plugin,
            parameters: "{}".to_owned(),
            mode: Mode::Enforce,
            plan: None,
            allow: Vec::new(),
            class_max,
            windows: None,
            standing: None,
            undoes: None,
            upgrade: None,
            comment: String::new(),
        }
    }
}

/// Puts an order into rings, the next of which opens at once when so many in a million failed at most.
pub fn in_rings(order: &mut Order, trees: &[&Tree], failures_max_ppm: u32) {
    order.rings = trees.iter().map(|tree| Ring { devices: tree.devices(), root: tree.root() }).collect();
    let gate = Gate { soak_seconds: 0, failures_max_ppm, absent_after_seconds: 86_400 };
    order.gate = (trees.len() > 1).then_some(gate);
}
