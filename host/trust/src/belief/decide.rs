//! The one decision: whether a plugin may run here, now, in this mode. Every check is made, also after one failed, so that
//! whoever was refused mends everything at once.

use contract::Class;
use model::{Grants, Mode, capability, policy};
use serde::{Serialize, Serializer};

use super::authority::{Role, above};
use super::{Approved, Document, Trust, in_time};
use crate::statement::{Approval, People, Plugin, Seat, Standing};
use crate::{Name, Names, Refusal, Signed, Time};

/// The interface of plugins that reveals people: a client who gives it to nobody tells nobody of them either.
const PEOPLE: &str = "device-people";

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the plugin's bytes come to.
    pub plugin: &'a Plugin,
    /// What its publisher says of it.
    pub statement: &'a Signed,
    /// Whose device this is; none where nobody said.
    pub client: Option<&'a Name>,
    /// What the device is counted among.
    pub tags: &'a [Name],
    /// What it should do.
    pub mode: Mode,
    /// What it needs: its manifest's capabilities, filled in.
    pub wishes: &'a Grants,
    /// Whether somebody said explicitly that an older version is meant.
    pub is_downgrade_meant: bool,
    /// When.
    pub now: Time,
}

/// What was decided, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// All that was looked at, in order.
    pub checks: Vec<Check>,
    /// The way to run it, where nothing failed.
    #[serde(rename = "ok", serialize_with = "as_bool")]
    pub approved: Option<Approved>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, for a person.
    pub found: String,
    /// What is wrong.
    #[serde(serialize_with = "as_codes", skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
}

fn as_bool<S: Serializer>(approved: &Option<Approved>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(approved.is_some())
}

fn as_codes<S: Serializer>(refusals: &[Refusal], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told {
        code: &'static str,
        text: String,
    }
    serializer.collect_seq(refusals.iter().map(|it| Told { code: it.code(), text: it.to_string() }))
}

impl Decision {
    /// Everything that is wrong.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.checks.iter().flat_map(|check| &check.refusals)
    }

    fn note(&mut self, name: &'static str, result: Result<String, Vec<Refusal>>) {
        let (ok, found, refusals) = match result {
            Ok(found) => (true, found, Vec::new()),
            Err(refusals) => {
                let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                (false, lines.join("; "), refusals)
            }
        };
        self.checks.push(Check { name, ok, found, refusals });
    }
}

/// An approval that lets the plugin run.
struct Found<'a> {
    approval: &'a Document<Approval>,
    reviewer: &'a Seat,
    grants: Grants,
}

impl Trust {
    /// Decides. It changes nothing and asks nobody.
    pub fn decide(&self, request: &Request) -> Decision {
        let mut decision = Decision { checks: Vec::new(), approved: None };
        let request = &Request { now: self.time(request.now), ..*request };
        let statement = Document::<Plugin>::open(request.statement);
        match &statement {
            Err(refusal) => decision.note("statement", Err(vec![refusal.clone()])),
            Ok(statement) => self.look_at_statement(&mut decision, statement, request),
        }
        decision.note("root", self.look_at_root(request));
        decision.note("roster", self.look_at_roster(request));
        let plugin = request.plugin;
        let ended = self.ended.check_plugin(plugin).map(|()| "nobody revoked it".to_owned());
        decision.note("revocations", ended.map_err(|refusal| vec![refusal]));
        let found = self.find_approval(request);
        let allows_older = found.iter().flatten().any(|it| it.approval.read.body.downgrade);
        decision.note("version", self.look_at_version(request, allows_older));
        let found = found.and_then(|found| {
            let best = found.into_iter().max_by_key(|it| it.approval.read.body.downgrade == request.is_downgrade_meant);
            best.ok_or_else(|| vec![Refusal::NoApproval { digest: plugin.digest }])
        });
        let told = found.as_ref().map_err(Clone::clone).map(|found| {
            let body = &found.approval.read.body;
            format!("`{}` of {} grants what it needs until {}", body.name, found.reviewer.holder, body.expires)
        });
        decision.note("approval", told);
        decision.note("policy", self.look_at_policy(request));
        if let (Ok(statement), Ok(found)) = (statement, found)
            && decision.checks.iter().all(|check| check.ok)
        {
            decision.approved = Some(Approved {
                plugin: statement.read.body,
                mode: request.mode,
                grants: found.grants,
                approval: found.approval.read.body.name.clone(),
                reviewer: found.reviewer.holder.clone(),
                until: self.until(request, &found.approval.read.body),
            });
        }
        decision
    }

    fn look_at_statement(&self, decision: &mut Decision, statement: &Document<Plugin>, request: &Request) {
        let (said, found) = (&statement.read.body, request.plugin);
        let made = in_time("the statement", statement, request.now);
        let about = format!("{} {} by {}, of {}", said.name, said.version, said.publisher, statement.read.created);
        decision.note("statement", made.map(|()| about).map_err(|refusal| vec![refusal]));
        decision.note("publisher", self.look_at_publisher(statement, request));
        let same = said.digest == found.digest && said.size_bytes == found.size_bytes;
        let bytes = match same {
            true => Ok(format!("{} in {} bytes, as signed", found.digest, found.size_bytes)),
            false if said.digest == found.digest => {
                Err(vec![relabelled("size-bytes", &found.size_bytes, &said.size_bytes)])
            }
            false => Err(vec![Refusal::OtherBytes { found: found.digest, wanted: said.digest }]),
        };
        decision.note("bytes", bytes);
        let label = label_differences(found, said);
        decision.note(
            "label",
            if label.is_empty() { Ok("the manifest is the one that was signed".to_owned()) } else { Err(label) },
        );
        let fits = said.fits_host().map(|()| match &said.contract {
            Some(contract) => format!("made for contract {contract}"),
            None => "a script, for every contract".to_owned(),
        });
        let other = |(wanted, have)| vec![Refusal::OtherContract { wanted, have }];
        decision.note("contract", fits.map_err(other));
    }

    fn look_at_publisher(&self, statement: &Document<Plugin>, request: &Request) -> Result<String, Vec<Refusal>> {
        let wanted = &statement.read.body.publisher;
        let fits = |key: &crate::Key, seat: &Seat| {
            let (key, found) = (key.fingerprint(), seat.holder.clone());
            let problem = match above(request.wishes, seat.class_max) {
                _ if seat.holder != *wanted => {
                    return Err(Refusal::OtherPublisher { key, found, wanted: wanted.clone() });
                }
                _ if !seat.clients.has(request.client) => format!("its plugins are for clients {}", seat.clients),
                Some((interface, class)) => {
                    format!("`{interface}` is {class}, and its plugins end at {}", seat.class_max)
                }
                None => return Ok(()),
            };
            Err(Refusal::OutOfScope { who: found, problem })
        };
        let seat = self.by_seat(Role::Publisher, statement, fits)?;
        Ok(format!("signed with a key of {} that counted then", seat.holder))
    }

    fn look_at_root(&self, request: &Request) -> Result<String, Vec<Refusal>> {
        in_time("the root", &self.root, request.now).map_err(|refusal| vec![refusal])?;
        let expiry = self.expiry(request, "the root", self.root());
        expiry.map(|until| format!("{}, pinned as {}, {until}", self.root().msp, self.pin))
    }

    fn look_at_roster(&self, request: &Request) -> Result<String, Vec<Refusal>> {
        let roster = self.roster_counts()?;
        in_time("the roster", roster, request.now).map_err(|refusal| vec![refusal])?;
        let body = &roster.read.body;
        self.expiry(request, "the roster", body).map(|until| format!("number {}, {until}", body.serial))
    }

    /// Past its expiry a document still lets be read what may be read: whoever withholds newer ones reaches no more.
    fn expiry(&self, request: &Request, what: &str, body: &impl Standing) -> Result<String, Vec<Refusal>> {
        let until = body.expires();
        if request.now < until {
            return Ok(format!("good until {until}"));
        }
        match beyond_reading(request) {
            None => Ok(format!("expired on {until}, so L0 and L1 only")),
            Some((capability, class)) => {
                let (what, beyond) = (what.to_owned(), capability.to_owned());
                Err(vec![Refusal::Expired { what, until, beyond, class }])
            }
        }
    }

    fn look_at_version(&self, request: &Request, allows_older: bool) -> Result<String, Vec<Refusal>> {
        let (found, name) = (&request.plugin.version, full_name(request.plugin));
        match self.versions.get(&name) {
            Some(kept) if found < kept && !(request.is_downgrade_meant && allows_older) => {
                Err(vec![Refusal::OlderVersion { found: found.clone(), kept: kept.clone() }])
            }
            Some(kept) if found < kept => Ok(format!("older than {kept}, which ran here, as is meant and approved")),
            Some(kept) => Ok(format!("not older than {kept}, which ran here")),
            None => Ok("no other version ran here".to_owned()),
        }
    }

    /// The approvals that let it run; where there is none, what is wrong with each that is about it.
    fn find_approval(&self, request: &Request) -> Result<Vec<Found<'_>>, Vec<Refusal>> {
        let digest = request.plugin.digest;
        let about = self.approvals.values().filter(|it| it.read.body.plugins.contains(&digest));
        let looked_at = about.map(|approval| self.look_at_approval(approval, request));
        let (found, refused): (Vec<_>, Vec<_>) = looked_at.partition(Result::is_ok);
        let refused: Vec<Refusal> = refused.into_iter().filter_map(Result::err).flatten().collect();
        match found.is_empty() && !refused.is_empty() {
            true => Err(refused),
            false => Ok(found.into_iter().flatten().collect()),
        }
    }

    fn look_at_approval<'a>(
        &'a self,
        approval: &'a Document<Approval>,
        request: &Request,
    ) -> Result<Found<'a>, Vec<Refusal>> {
        let body = &approval.read.body;
        let mut refusals = Vec::new();
        let reviewer = self.by_reviewer(approval);
        refusals.extend(reviewer.as_ref().err().into_iter().flatten().cloned());
        refusals.extend(in_time(&format!("`{}`", body.name), approval, request.now).err());
        let (digest, created) = (approval.read.digest, approval.read.created);
        refusals.extend(self.ended.check_approval(request.plugin, &body.name, digest, created).err());
        refusals
            .extend(self.expiry(request, &format!("the approval `{}`", body.name), body).err().into_iter().flatten());
        refusals.extend(not_meant(body, request));
        let (grants, missing) = policy::cut_down(request.wishes, &body.grants);
        let by = format!("the approval {}", body.name);
        refusals.extend(missing.into_iter().map(|capability| Refusal::NotGranted { capability, by: by.clone() }));
        match (reviewer, refusals.is_empty()) {
            (Ok(reviewer), true) => Ok(Found { approval, reviewer, grants }),
            _ => Err(refusals),
        }
    }

    /// What a device of this client tells of people. Who forbids it is heard also past their policy's end; who allows it is not. As
    /// long as nobody signed whose it is, nobody knows who might forbid it.
    pub fn people(&self, client: Option<&Name>, now: Time) -> People {
        let Some(client) = client else { return People::Never };
        let Some(policy) = self.policies.get(client.as_str()) else { return People::Masked };
        if self.by_client(policy).is_err() {
            return People::Masked;
        }
        let body = &policy.read.body;
        let is_never = body.never.iter().any(|it| it == PEOPLE);
        match body.people {
            _ if is_never => People::Never,
            People::Shown if in_time("the policy", policy, now).is_err() || now >= body.expires => People::Masked,
            said => said,
        }
    }

    fn look_at_policy(&self, request: &Request) -> Result<String, Vec<Refusal>> {
        let found = request.client.and_then(|client| Some((client, self.policies.get(client.as_str())?)));
        let Some((client, policy)) = found else {
            return Ok("the client has no policy here".to_owned());
        };
        self.by_client(policy)?;
        in_time("the policy", policy, request.now).map_err(|refusal| vec![refusal])?;
        let body = &policy.read.body;
        let mut refusals: Vec<Refusal> = self.expiry(request, "the policy", body).err().unwrap_or_default();
        let forbids = |problem: String| Refusal::PolicyForbids { client: client.clone(), problem };
        if !body.modes.contains(&request.mode) {
            refusals.push(forbids(format!("the mode `{}`", request.mode.word())));
        }
        if !body.publishers.has(Some(&request.plugin.publisher)) {
            refusals.push(forbids(format!("the publisher `{}`", request.plugin.publisher)));
        }
        for (interface, _) in request.wishes.iter() {
            let class = capability::interface(interface).map(|row| row.class);
            if body.never.iter().any(|it| it == interface) {
                refusals.push(forbids(format!("`{interface}`, to everybody")));
            } else if let Some(class) = class.filter(|class| *class > body.class_max) {
                refusals.push(forbids(format!("`{interface}`, which is {class}, and it ends at {}", body.class_max)));
            }
        }
        match refusals.is_empty() {
            true => Ok(format!("number {} of `{client}` allows it", body.serial)),
            false => Err(refusals),
        }
    }

    /// When the first of all that a decision stands on expires.
    fn until(&self, request: &Request, approval: &Approval) -> Time {
        let roster = self.roster().map(Standing::expires);
        let policy = request.client.and_then(|client| self.policy(client)).map(Standing::expires);
        let others = [Some(self.root().expires), roster, policy].into_iter().flatten();
        others.fold(approval.expires, Time::min)
    }
}

/// What a plugin needs that is more than reading. What a mutator answers outside an enforce run is `planned` or `denied`.
fn beyond_reading<'a>(request: &Request<'a>) -> Option<(&'a str, Class)> {
    above(request.wishes, Class::L1).filter(|_| request.mode == Mode::Enforce)
}

/// Whom an approval is for, where that is not this device in this mode.
fn not_meant(body: &Approval, request: &Request) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let approval = &body.name;
    if !body.clients.has(request.client) {
        let client = request.client.map_or_else(|| "nobody's".to_owned(), ToString::to_string);
        refusals.push(Refusal::OtherClient { approval: approval.clone(), clients: body.clients.to_string(), client });
    }
    if body.tags != Names::All && !request.tags.iter().any(|tag| body.tags.has(Some(tag))) {
        let tags = Names::These(request.tags.to_vec());
        let tags = if request.tags.is_empty() { "none".to_owned() } else { tags.to_string() };
        refusals.push(Refusal::OtherTags { approval: approval.clone(), wanted: body.tags.to_string(), tags });
    }
    if !body.modes.contains(&request.mode) {
        refusals.push(Refusal::OtherMode { approval: approval.clone(), mode: request.mode });
    }
    refusals
}

/// Where a plugin's label is not what was signed.
fn label_differences(found: &Plugin, said: &Plugin) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if found.manifest != said.manifest {
        refusals.push(Refusal::OtherManifest { found: found.manifest, wanted: said.manifest });
    }
    let mut compare = |field, found: String, wanted: String| {
        if found != wanted {
            refusals.push(Refusal::Relabelled { field, found, wanted });
        }
    };
    compare("form", found.form.word().to_owned(), said.form.word().to_owned());
    compare("publisher", found.publisher.to_string(), said.publisher.to_string());
    compare("name", found.name.to_string(), said.name.to_string());
    compare("version", found.version.to_string(), said.version.to_string());
    let contract = |plugin: &Plugin| plugin.contract.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    compare("contract", contract(found), contract(said));
    refusals
}

fn relabelled(field: &'static str, found: &u64, wanted: &u64) -> Refusal {
    Refusal::Relabelled { field, found: found.to_string(), wanted: wanted.to_string() }
}

/// What a plugin is called among those of all publishers.
pub(crate) fn full_name(plugin: &Plugin) -> String {
    format!("{}/{}", plugin.publisher, plugin.name)
}
