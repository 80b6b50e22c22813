//! An order, composed: whom it means, what it may do there, who goes first. Everything that speaks against it is found before
//! anybody signs.

use std::collections::{BTreeMap, BTreeSet};

use contract::Class;
use fleet::{Device, Drawn, Rings, Target};
use model::{Capability, Digest, Grants, Mode, OrderId, capability, policy};
use serde::Serialize;
use trust::statement::{self, Gate, Order, OrderedPlugin, Ring, Upgrade};
use trust::{Key, Name, Names, Refusal, Request, Signed, Statement, Time, Trust};

use crate::inventory::{Chosen, Listed, Seen};

/// An order of class L4 begins no sooner after it was made: whoever sees it has so long to stop it.
const L4_DELAY_SECONDS: i64 = 1_800;

/// So many devices of a ring are named to whoever signs.
const NAMED_MAX: usize = 5;

/// What is ordered.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// What its bytes come to.
    pub statement: statement::Plugin,
    /// What its publisher signed of it, perhaps several times.
    pub signed: Vec<Signed>,
    /// What it needs with these parameters.
    pub wishes: Grants,
}

/// What a technician wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `--where`.
    pub r#where: String,
    /// Of these clients; of all that have such devices, where none is named.
    pub clients: Vec<Name>,
    /// Of these devices alone.
    pub only: Option<BTreeSet<Device>>,
    /// Who goes when. None: all at once; of a standing order, whoever is there.
    pub rings: Option<Rings>,
    /// What a ring waits for.
    pub gate: Gate,
    /// For so long.
    pub deadline_seconds: i64,
    /// When it may start, as text.
    pub windows: Option<String>,
    /// How it runs.
    pub mode: Mode,
    /// The plan that it does.
    pub plan: Option<Digest>,
    /// What it is granted of its approval.
    pub allow: Vec<Capability>,
    /// Up to which class; as much as it needs, where nobody says.
    pub class_max: Option<Class>,
    /// A JSON object as text.
    pub parameters: String,
    /// On which occasions, as text.
    pub standing: Option<String>,
    /// The order whose runs are taken back.
    pub undoes: Option<Digest>,
    /// The agent that takes the place of the one that runs.
    pub upgrade: Option<Upgrade>,
    /// Why.
    pub comment: String,
}

/// An order that nothing speaks against, not yet signed.
#[derive(Clone, Debug)]
pub struct Composed {
    /// What is signed.
    pub order: Order,
    /// When that was.
    pub created: Time,
    /// The devices of each ring; one list of all of them, where it has no rings.
    pub rings: Vec<Vec<Device>>,
    /// What whoever signs sees.
    pub preview: Preview,
}

/// What whoever signs sees before.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// The plugin.
    pub plugin: String,
    /// How it runs.
    pub mode: Mode,
    /// How many devices are meant.
    pub devices: usize,
    /// By client.
    pub clients: BTreeMap<String, usize>,
    /// What it may do on them.
    pub capabilities: Vec<String>,
    /// Up to which class.
    pub class_max: Class,
    /// The class of what it may really do.
    pub risks: Class,
    /// So many technicians sign it.
    pub technicians: usize,
    /// From when on.
    pub from: Time,
    /// Until when it begins.
    pub expires: Time,
    /// Who goes first.
    pub rings: Vec<PreviewedRing>,
    /// Devices that are not there now: they get it when they come back.
    pub offline: Vec<String>,
    /// Devices that cannot be decided: they will refuse.
    pub undecided: Vec<PreviewedUndecided>,
    /// So many are not meant.
    pub others: usize,
    /// So many are nobody's yet, or retired.
    pub no_members: usize,
}

/// A ring, for whoever signs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreviewedRing {
    /// How many devices.
    pub devices: usize,
    /// Some of them.
    pub first: Vec<String>,
    /// How many of them are not there.
    pub offline: usize,
}

/// A device that cannot be decided.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreviewedUndecided {
    /// Which.
    pub device: String,
    /// The facts that it lacks.
    pub absent: Vec<String>,
    /// What the expression failed at.
    pub why: String,
}

/// One thing that speaks against an order.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Against {
    /// The expression.
    #[error("--where: {0}")]
    Where(String),
    /// Nobody is meant.
    #[error(
        "no device is meant: {others} are not, {undecided} cannot be decided, {no_members} are nobody's yet or retired"
    )]
    Nobody {
        /// Are not meant.
        others: usize,
        /// Cannot be decided.
        undecided: usize,
        /// Are no members.
        no_members: usize,
    },
    /// It would be refused there.
    #[error("on devices of `{client}`{tags}: {refusal} ({code})", code = refusal.code())]
    Plugin {
        /// Whose devices.
        client: Name,
        /// With which tags, as text.
        tags: String,
        /// Why.
        refusal: Refusal,
    },
    /// What it needs is more than it is to do.
    #[error("`{interface}` is {class}, and --class-max is {most}")]
    Class {
        /// Which.
        interface: String,
        /// Its class.
        class: Class,
        /// What was said.
        most: Class,
    },
    /// Whoever signs may not.
    #[error("{refusal} ({code})", code = refusal.code())]
    Seat {
        /// Why.
        refusal: Refusal,
    },
    /// What no statement can say.
    #[error("{0}")]
    Statement(String),
}

impl Against {
    /// Whether a reviewer's approval is what is missing.
    pub fn wants_approval(&self) -> bool {
        matches!(
            self,
            Self::Plugin {
                refusal: Refusal::NoApproval { .. }
                    | Refusal::OtherClient { .. }
                    | Refusal::OtherTags { .. }
                    | Refusal::OtherMode { .. }
                    | Refusal::NotGranted { .. }
                    | Refusal::Expired { .. },
                ..
            }
        )
    }
}

/// Who composes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Composer<'a> {
    /// What they believe.
    pub trust: &'a Trust,
    /// Whose counter it is.
    pub by: &'a Key,
    /// In milliseconds since 1970: the counter too.
    pub now_ms: u64,
}

impl Composer<'_> {
    /// Composes an order over these devices; or says everything that speaks against it.
    pub fn compose(&self, wanted: &Wanted, plugin: &Plugin, devices: Vec<Listed>) -> Result<Composed, Vec<Against>> {
        let mut against = Vec::new();
        let devices = match &wanted.only {
            Some(only) => devices.into_iter().filter(|it| is_among(it, only)).collect(),
            None => devices,
        };
        let chosen = match Target::read(&wanted.r#where) {
            Ok(target) => Chosen::of(devices, &target),
            Err(problems) => {
                against.extend(problems.iter().map(|it| Against::Where(it.to_string())));
                Chosen::default()
            }
        };
        if chosen.meant.is_empty() && against.is_empty() && wanted.standing.is_none() {
            against.push(Against::Nobody {
                others: chosen.others,
                undecided: chosen.undecided.len(),
                no_members: chosen.no_members,
            });
        }
        let granted = self.granted(wanted, plugin, &chosen.meant, &mut against);
        let created = Time::from_ms(self.now_ms);
        let (order, rings) = self.order(wanted, plugin, &chosen.meant, class_of(&granted), created);
        if let Some(most) = wanted.class_max.filter(|_| wanted.mode == Mode::Enforce) {
            let beyond =
                granted.iter().filter_map(|(name, _)| capability::interface(name)).filter(|it| it.class > most);
            against.extend(beyond.map(|it| Against::Class { interface: it.name.to_owned(), class: it.class, most }));
        }
        against.extend(order.check().err().map(Against::Statement));
        let now = Time::from_ms(self.now_ms);
        against.extend(self.trust.may_order(self.by, &order, now).into_iter().map(|refusal| Against::Seat { refusal }));
        match against.is_empty() {
            true => {
                let preview = preview(&order, &rings, &chosen, &granted);
                Ok(Composed { order, created, rings, preview })
            }
            false => Err(against),
        }
    }

    fn order(
        &self,
        wanted: &Wanted,
        plugin: &Plugin,
        meant: &[Seen],
        needs: Class,
        created: Time,
    ) -> (Order, Vec<Vec<Device>>) {
        let id = OrderId::new();
        let devices: Vec<Device> = meant.iter().map(|it| it.id).collect();
        let drawn = wanted.rings.as_ref().map(|rings| Drawn::new(rings, &id.to_string(), &devices));
        let rings: Vec<Ring> = drawn
            .iter()
            .flat_map(|drawn| drawn.trees())
            .map(|tree| Ring { devices: tree.devices(), root: tree.root() })
            .collect();
        let clients: BTreeSet<Name> =
            meant.iter().map(|it| it.place.client.clone()).chain(wanted.clients.clone()).collect();
        let clients = match wanted.standing {
            // Whoever comes later is meant too, of the clients that were named.
            Some(_) if wanted.clients.is_empty() => Names::All,
            _ => Names::These(clients.into_iter().collect()),
        };
        let class_max = wanted.class_max.unwrap_or(needs);
        let is_l4 = wanted.mode == Mode::Enforce && class_max == Class::L4;
        let from = if is_l4 { created.plus_seconds(L4_DELAY_SECONDS) } else { created };
        let about = &plugin.statement;
        let order = Order {
            tenant: self.trust.pin(),
            id,
            by: self.by.clone(),
            counter: self.now_ms,
            from,
            expires: from.plus_seconds(wanted.deadline_seconds),
            clients,
            r#where: wanted.r#where.clone(),
            gate: (rings.len() > 1).then_some(wanted.gate),
            rings,
            plugin: OrderedPlugin { name: about.name.clone(), version: about.version.clone(), digest: about.digest },
            parameters: wanted.parameters.clone(),
            mode: wanted.mode,
            plan: wanted.plan,
            allow: wanted.allow.clone(),
            class_max,
            windows: wanted.windows.clone(),
            standing: wanted.standing.clone(),
            undoes: wanted.undoes,
            upgrade: wanted.upgrade,
            comment: wanted.comment.clone(),
        };
        (order, drawn.map_or_else(|| vec![devices], |drawn| drawn.rings))
    }

    /// What it may do on these devices, everywhere together; each kind of device is asked once.
    fn granted(&self, wanted: &Wanted, plugin: &Plugin, meant: &[Seen], against: &mut Vec<Against>) -> Grants {
        let now = Time::from_ms(self.now_ms);
        let mut kinds: BTreeSet<(Name, Vec<Name>)> =
            meant.iter().map(|it| (it.place.client.clone(), it.place.tags.clone())).collect();
        if meant.is_empty() {
            kinds.extend(wanted.clients.iter().map(|client| (client.clone(), Vec::new())));
        }
        let mut granted = Grants::default();
        let mut told = BTreeSet::new();
        if wanted.upgrade.is_some() {
            // No plugin runs: who released the agent, each device asks of the release.
            return granted;
        }
        for (client, tags) in &kinds {
            let decide = |statement| {
                self.trust.decide(&Request {
                    plugin: &plugin.statement,
                    statement,
                    client: Some(client),
                    tags,
                    mode: wanted.mode,
                    wishes: &plugin.wishes,
                    is_downgrade_meant: false,
                    now,
                })
            };
            // What a run takes back was approved when it ran; each device knows what it did.
            if wanted.undoes.is_some() {
                let used = policy::narrow(&plugin.wishes, &wanted.allow).unwrap_or_else(|_| plugin.wishes.clone());
                used.iter().for_each(|(name, scope)| granted.add(name, scope.to_vec()));
                continue;
            }
            let best = plugin.signed.iter().map(decide).min_by_key(|it| it.refusals().count());
            let refusals: Vec<Refusal> = match best.as_ref().map(|it| it.approved.as_ref().ok_or(it)) {
                Some(Ok(approved)) => match policy::narrow(approved.grants(), &wanted.allow) {
                    Ok(grants) => {
                        grants.iter().for_each(|(name, scope)| granted.add(name, scope.to_vec()));
                        Vec::new()
                    }
                    Err(missing) => {
                        let by = approved.approval().to_string();
                        missing
                            .into_iter()
                            .map(|capability| Refusal::NotGranted { capability, by: by.clone() })
                            .collect()
                    }
                },
                Some(Err(decision)) => decision.refusals().cloned().collect(),
                None => vec![Refusal::NoSignature],
            };
            for refusal in refusals {
                // A hundred kinds of devices of one client lack the same approval.
                if told.insert((client.clone(), refusal.to_string())) {
                    against.push(Against::Plugin { client: client.clone(), tags: shown_tags(tags), refusal });
                }
            }
        }
        granted
    }
}

fn is_among(it: &Listed, only: &BTreeSet<Device>) -> bool {
    let key = it.device.key.parse::<Key>();
    key.is_ok_and(|key| only.contains(&Device::of(&key)))
}

fn shown_tags(tags: &[Name]) -> String {
    match tags {
        [] => String::new(),
        tags => format!(" with the tags {}", tags.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")),
    }
}

fn class_of(grants: &Grants) -> Class {
    grants.iter().filter_map(|(name, _)| capability::interface(name)).map(|it| it.class).max().unwrap_or(Class::L0)
}

fn preview(order: &Order, rings: &[Vec<Device>], chosen: &Chosen, granted: &Grants) -> Preview {
    let by_id: BTreeMap<Device, &Seen> = chosen.meant.iter().map(|it| (it.id, it)).collect();
    let is_offline = |device: &Device| by_id.get(device).is_some_and(|it| it.listed.presence == "offline");
    let called = |device: &Device| by_id.get(device).map(|it| it.called()).unwrap_or_default();
    let ring = |ring: &Vec<Device>| PreviewedRing {
        devices: ring.len(),
        first: ring.iter().take(NAMED_MAX).map(called).collect(),
        offline: ring.iter().filter(|it| is_offline(it)).count(),
    };
    let mut clients = BTreeMap::new();
    chosen.meant.iter().for_each(|it| *clients.entry(it.place.client.to_string()).or_default() += 1);
    let undecided = chosen.undecided.iter().map(|it| PreviewedUndecided {
        device: it.seen.called(),
        absent: it.absent.clone(),
        why: it.why.clone(),
    });
    let capabilities = granted.iter().filter_map(|(name, scope)| {
        let row = capability::interface(name)?;
        let capability = Capability { interface: row.name, scope: scope.to_vec() };
        Some(format!("{capability} ({})", row.class))
    });
    Preview {
        plugin: format!("{} {}", order.plugin.name, order.plugin.version),
        mode: order.mode,
        devices: chosen.meant.len(),
        clients,
        capabilities: capabilities.collect(),
        class_max: order.class_max,
        risks: order.risks(),
        technicians: if order.risks() == Class::L4 { 2 } else { 1 },
        from: order.from,
        expires: order.expires,
        rings: rings.iter().map(ring).collect(),
        offline: chosen.meant.iter().filter(|it| is_offline(&it.id)).map(Seen::called).collect(),
        undecided: undecided.collect(),
        others: chosen.others,
        no_members: chosen.no_members,
    }
}
