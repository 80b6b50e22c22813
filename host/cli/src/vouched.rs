//! Whether those whom this machine believes vouch for a plugin.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use artifact::Plugin;
use distribution::Attachment;
use model::{Digest, Grants, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trust::statement::{self, Approval, Revocation};
use trust::{Check, Decision, Kind, Name, Refusal, Request, Signed, Trust};

use crate::context::Context;
use crate::keys;
use crate::output::say;

/// Whose device this is, and what is meant.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    /// Whose device this is: an approval may be for some clients only
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<Name>,

    /// What this device is counted among; repeat for more
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<Name>,

    /// A version is meant that is older than one that ran here; its approval must say so too
    #[arg(long)]
    downgrade: bool,
}

/// What was signed about a plugin, wherever it lies. Nobody believes it yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statements {
    signed: Vec<Signed>,
    /// Why there is more, which was not read: no reason to run without it.
    unread: Option<Refusal>,
}

impl Statements {
    /// What lies beside a plugin's file.
    pub(crate) fn beside(plugin: &Path) -> anyhow::Result<Self> {
        match distribution::read_beside(plugin) {
            Ok(attachments) => Ok(Self::of(&attachments)),
            Err(distribution::Error::TooLarge { bytes_max, .. }) => {
                let most = usize::try_from(bytes_max).unwrap_or(usize::MAX);
                let unread = Refusal::TooLarge { bytes: most.saturating_add(1), most };
                Ok(Self { signed: Vec::new(), unread: Some(unread) })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What came with it.
    pub(crate) fn of(attachments: &[Attachment]) -> Self {
        let signed = |it: &Attachment| {
            let signatures = it.signatures.iter().map(|it| String::from_utf8_lossy(it).into_owned());
            Signed::new(it.statement.clone(), signatures.collect())
        };
        Self { signed: attachments.iter().map(signed).collect(), unread: None }
    }

    /// With what its publisher signed looked at, for as long as it is kept.
    pub(crate) fn looked_at(mut self) -> Self {
        let is_plugin = |it: &Signed| it.kind().is_ok_and(|kind| kind == Kind::Plugin);
        self.signed = self.signed.into_iter().map(|it| if is_plugin(&it) { it.looked_at() } else { it }).collect();
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.signed.is_empty() && self.unread.is_none()
    }

    pub(crate) fn all(&self) -> &[Signed] {
        &self.signed
    }

    /// Each as one text, to be kept.
    pub(crate) fn to_texts(&self) -> Vec<String> {
        self.signed.iter().map(|it| String::from_utf8_lossy(&it.to_text()).into_owned()).collect()
    }

    /// What [`Statements::to_texts`] gave.
    pub(crate) fn from_texts(texts: &[String]) -> Result<Self, Refusal> {
        let signed = texts.iter().map(|text| Signed::from_text(text.as_bytes())).collect::<Result<_, _>>();
        signed.map(|signed| Self { signed, unread: None })
    }

    /// What may be its publisher's word. Where there is none, what is there instead, so that it is told.
    fn of_publisher(&self) -> Vec<&Signed> {
        let is_plugin = |it: &&Signed| it.kind().is_ok_and(|kind| kind == Kind::Plugin);
        match self.signed.iter().filter(is_plugin).collect::<Vec<_>>() {
            none if none.is_empty() => self.signed.iter().collect(),
            found => found,
        }
    }

    /// Has this machine believe what among them says something of this plugin and was signed by who may; the others are told, and
    /// left. Nothing is kept where somebody only asks what would be.
    pub(crate) fn take(&self, about: &Plugin, trust: &mut Trust, keep: bool, context: &Context) -> anyhow::Result<()> {
        let plugin = about.statement()?;
        let of_kind = |kind: Kind| self.signed.iter().filter(move |it| it.kind().is_ok_and(|found| found == kind));
        // Revocations first: what they end is not taken.
        for signed in of_kind(Kind::Revocation).chain(of_kind(Kind::Approval)) {
            let kind = signed.kind().map_or_else(|_| "statement".to_owned(), |kind| kind.to_string());
            // Else whoever carries one plugin decides when the approval of another is replaced.
            if !is_about(signed, plugin.digest).unwrap_or_default() {
                say(&format!("note: the {kind} that came with it is about other plugins: `remit take` takes it"));
                continue;
            }
            let mut then = trust.clone();
            let taken = match then.take(signed, keys::now(context)) {
                Ok(taken) if taken.is_new => taken,
                Ok(_) => continue,
                Err(refusals) => {
                    let why: Vec<String> = refusals.iter().map(keys::with_code).collect();
                    say(&format!("note: the {kind} that came with it is not believed: {}", why.join("; ")));
                    continue;
                }
            };
            // What ends nothing is not kept: a publisher may write as many of these as it likes, and of others' plugins too.
            let ended = |trust: &Trust| (trust.revoked(&plugin), trust.retired(&plugin));
            if taken.kind == Kind::Revocation && ended(&then) == ended(trust) {
                say("note: a revocation that came with it ends nothing of it");
                continue;
            }
            if keep {
                keys::folder(context)?.keep(&taken, signed, &then)?;
            }
            *trust = then;
            say(&format!("the {kind} `{}` that came with it is believed", taken.subject));
        }
        Ok(())
    }
}

/// Whether what travels with a plugin is about it. Other kinds of statements do not travel.
pub(crate) fn is_about(signed: &Signed, plugin: Digest) -> anyhow::Result<bool> {
    Ok(match signed.kind()? {
        Kind::Approval => statement::read::<Approval>(signed.statement())?.body.plugins.contains(&plugin),
        Kind::Revocation => statement::read::<Revocation>(signed.statement())?.body.plugins.contains(&plugin),
        other => bail!("a statement of the kind `{other}` does not travel with a plugin: hosts `remit take` it"),
    })
}

/// As it travels.
pub(crate) fn attachment(signed: &Signed) -> Attachment {
    let signatures = signed.signatures().iter().map(|it| it.clone().into_bytes());
    Attachment { statement: signed.statement().to_vec(), signatures: signatures.collect() }
}

impl Device {
    /// Where nobody said whose it is.
    pub(crate) const fn nobody_s() -> Self {
        Self::of(None)
    }

    /// Of this client.
    pub(crate) const fn of(client: Option<Name>) -> Self {
        Self { client, tags: Vec::new(), downgrade: false }
    }

    /// What it is counted among.
    #[cfg(target_os = "linux")]
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(Name::as_str)
    }

    /// And of this client, and counted among these, as a standing order has it. A name that is none is nobody's.
    #[cfg(target_os = "linux")]
    pub(crate) fn also<'a>(&mut self, client: Option<&str>, tags: impl IntoIterator<Item = &'a String>) {
        if let Some(client) = client {
            self.client = client.parse().ok();
        }
        self.tags.extend(tags.into_iter().filter_map(|tag| tag.parse().ok()));
    }

    /// Every check of a plugin, with that statement of its publisher that holds best: whoever carries a plugin may put others
    /// beside it.
    pub(crate) fn decide(
        &self,
        (plugin, statements): (&Plugin, &Statements),
        wishes: &Grants,
        mode: Mode,
        trust: &Trust,
        context: &Context,
    ) -> anyhow::Result<Decision> {
        let plugin = plugin.statement()?;
        let decide = |statement| {
            trust.decide(&Request {
                plugin: &plugin,
                statement,
                client: self.client.as_ref(),
                tags: &self.tags,
                mode,
                wishes,
                is_downgrade_meant: self.downgrade,
                now: keys::now(context),
            })
        };
        if let Some(unread) = &statements.unread {
            return Ok(refused(unread.clone()));
        }
        let decisions = statements.of_publisher().into_iter().map(decide);
        Ok(decisions.min_by_key(|it| it.refusals().count()).unwrap_or_else(|| refused(Refusal::NoSignature)))
    }

    /// Who vouches for a plugin here, in a few words, whether or not it may run.
    pub(crate) fn who_vouches(
        &self,
        about: (&Plugin, &Statements),
        trust: Option<&Trust>,
        context: &Context,
    ) -> anyhow::Result<String> {
        let Some(trust) = trust else { return Ok("nobody is believed here".to_owned()) };
        let decision = self.decide(about, &wishes(about.0, Map::new()), Mode::Detect, trust, context)?;
        let holds = decision.against_publisher().next().is_none();
        Ok(match decision.approved {
            Some(approved) => artifact::Trust::Approved(Arc::new(approved)).to_string(),
            None if holds => format!("signed by {}", about.0.manifest().plugin.publisher),
            None => "refused".to_owned(),
        })
    }

    /// What a reviewer types who approves it here. The approval is called as its version, so that one of another version stays.
    pub(crate) fn approve_line(&self, plugin: &Plugin) -> String {
        let about = &plugin.manifest().plugin;
        let (name, version) = (&about.name, about.version.to_string());
        let client = self.client.as_ref().map_or("'*'", |client| client.as_str());
        let called = format!("{name}-{}", version.replace('+', "_"));
        let line =
            format!("a reviewer approves it: `remit approve {name}@{version} --name {called} --client {client}`");
        let is_open = |scope: &[String]| scope.iter().any(|entry| entry.contains('{'));
        let wishes = plugin.manifest().capabilities.iter().filter(|(_, wish)| is_open(&wish.scope));
        let open: Vec<String> = wishes.map(|(interface, _)| format!("`--grant '{interface} […]'`")).collect();
        match open.is_empty() {
            true => line,
            // Whoever starts the run fills these: how far is the reviewer's to say.
            false => format!("{line}, and says how far with {}", open.join(" and ")),
        }
    }

    /// The modes in which a plugin is approved; and why not in the others, each reason once.
    pub(crate) fn modes(
        &self,
        about: (&Plugin, &Statements),
        trust: &Trust,
        context: &Context,
    ) -> anyhow::Result<(Vec<Mode>, Vec<Refusal>)> {
        let (mut modes, mut refusals) = (Vec::new(), Vec::new());
        let wishes = wishes(about.0, Map::new());
        for mode in [Mode::Detect, Mode::DryRun, Mode::Enforce] {
            let decision = self.decide(about, &wishes, mode, trust, context)?;
            match decision.approved {
                Some(_) => modes.push(mode),
                None => refusals.extend(decision.refusals().cloned()),
            }
        }
        let mut told: Vec<String> = Vec::new();
        refusals.retain(|it: &Refusal| {
            let text = it.to_string();
            let is_new = !told.contains(&text);
            told.push(text);
            is_new
        });
        Ok((modes, refusals))
    }
}

/// There is no statement that could be looked at.
fn refused(refusal: Refusal) -> Decision {
    let found = refusal.to_string();
    Decision { checks: vec![Check { name: "statement", ok: false, found, refusals: vec![refusal] }], approved: None }
}

/// What it needs with these parameters; where they do not fit, what its manifest says.
pub(crate) fn wishes(plugin: &Plugin, given: Map<String, Value>) -> Grants {
    let manifest = plugin.manifest();
    let filled = plugin.parameters(given).ok().and_then(|parameters| manifest.wishes(&parameters).ok());
    filled.unwrap_or_else(|| {
        let mut wishes = Grants::default();
        manifest.capabilities.iter().for_each(|(name, wish)| wishes.add(name, wish.scope.clone()));
        wishes
    })
}
