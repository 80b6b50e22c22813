//! Secrets of a fleet's devices: sealed here to each device's key, so that nobody on the way reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::bail;
use backends::secrets::Place;
use desk::{Chosen, SecretRow, Seen};
use fleet::Target;
use serde::Serialize;
use tabled::Tabled;
use trust::statement::{self, Secret};
use trust::{Name, Signed, Time};

use crate::context::Context;
use crate::fault::Refused;
use crate::keys::{self, SigningKeys};
use crate::output;
use crate::technician::{self, Desk};

/// So long a secret holds where nothing else is said: whoever holds back that it was removed has it used no longer.
const DAYS: u32 = 365;

/// So many devices are named before somebody agrees.
const NAMED_MAX: usize = 20;

/// Whose secrets, where they are not this machine's.
#[derive(clap::Args)]
pub(super) struct Whom {
    /// Of this device, by the hub: its host name, its name there or the beginning of that, or its key's fingerprint; repeat for more
    #[arg(long = "device", value_name = "NAME", conflicts_with_all = ["clients", "target"])]
    devices: Vec<String>,

    /// Of the devices of this client; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<Name>,

    /// Of the devices of which this is true, in CEL over their facts, `client`, `site` and `tags`
    #[arg(long = "where", value_name = "EXPR")]
    target: Option<String>,
}

/// How what is said of them is signed.
#[derive(clap::Args)]
pub(super) struct How {
    /// Sign without being asked
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    keys: SigningKeys,
}

/// A secret on a device, or that it lacks it.
#[derive(Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
struct Row {
    device: String,
    host: String,
    client: String,
    name: String,
    version: u64,
    #[tabled(rename = "for")]
    places: String,
    set: String,
    expires: String,
    /// `held`, `on its way`, `removed` (which it knows), `going` (which it does not yet), or `missing`.
    state: &'static str,
}

impl Row {
    fn of(seen: &Seen, it: &SecretRow) -> Self {
        Self {
            device: short(seen),
            host: seen.facts.hostname.clone().unwrap_or_default(),
            client: it.client.clone(),
            name: it.name.clone(),
            version: it.serial,
            places: it.places.join(", "),
            set: output::time(it.set_ms),
            expires: output::time(it.expires_ms),
            state: match (it.is_gone, it.held_serial) {
                (false, Some(held)) if held == it.serial => "held",
                (false, _) => "on its way",
                (true, None) => "removed",
                (true, Some(_)) => "going",
            },
        }
    }

    fn missing(seen: &Seen, name: &str) -> Self {
        Self {
            device: short(seen),
            host: seen.facts.hostname.clone().unwrap_or_default(),
            client: seen.place.client.to_string(),
            name: name.to_owned(),
            version: 0,
            places: String::new(),
            set: String::new(),
            expires: String::new(),
            state: "missing",
        }
    }
}

fn short(seen: &Seen) -> String {
    seen.id.hex().chars().take(12).collect()
}

impl Whom {
    /// Whether anybody is named: else it is about this machine.
    pub(super) fn is_anybody(&self) -> bool {
        !self.devices.is_empty() || !self.clients.is_empty() || self.target.is_some()
    }

    /// The devices that are meant, as far as the hub says.
    async fn seen(&self, desk: &Desk) -> anyhow::Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for named in &self.devices {
            let listed = desk.client.device(named).await?;
            if listed.device.state != "member" {
                bail!("`{named}` is {}, and no member", listed.device.state);
            }
            seen.extend(listed.seen());
        }
        if !self.devices.is_empty() {
            return Ok(seen);
        }
        let target = Target::read(self.target.as_deref().unwrap_or_default())
            .map_err(|problems| Refused::because(problems.iter().map(|it| format!("--where: {it}")).collect()))?;
        let chosen = Chosen::of(desk.client.inventory(&self.clients).await?, &target);
        if !chosen.undecided.is_empty() {
            output::say(&format!("note: {} devices cannot be decided, and are left out", chosen.undecided.len()));
        }
        Ok(chosen.meant)
    }

    /// Those of them of which somebody who may signed whose they are. To the others nothing is sealed: the hub could have made them up.
    async fn vouched(&self, desk: &Desk) -> anyhow::Result<Vec<Seen>> {
        let mut vouched = desk.client.vouched(&desk.trust).await?;
        let (mut meant, mut others) = (Vec::new(), Vec::new());
        for mut seen in self.seen(desk).await? {
            match vouched.place(&seen, &desk.client).await? {
                Ok(place) if place.client == seen.place.client => {
                    seen.place = place;
                    meant.push(seen);
                }
                Ok(place) => {
                    others.push(format!(
                        "{}: it is of {}, and the hub says of {}",
                        seen.called(),
                        place.client,
                        seen.place.client
                    ));
                }
                Err(refusals) => {
                    let why: Vec<String> = refusals.iter().map(keys::with_code).collect();
                    others.push(format!("{}: {}", seen.called(), why.join("; ")));
                }
            }
        }
        if !others.is_empty() && (meant.is_empty() || !self.devices.is_empty()) {
            return Err(Refused::because(others).into());
        }
        others.iter().for_each(|why| output::say(&format!("note: left out: {why}")));
        match meant.is_empty() {
            true => bail!("no device is meant"),
            false => Ok(meant),
        }
    }
}

/// Seals a secret to each device, and hands all of that over.
pub(super) async fn set(
    whom: &Whom,
    how: &How,
    (name, places): (&str, &[Place]),
    expires_in_days: Option<u32>,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let meant = whom.vouched(&desk).await?;
    let bytes = zeroize::Zeroizing::new(super::read_secret(name)?);
    let expires = keys::now(context).plus_days(expires_in_days.unwrap_or(DAYS));
    let shown: Vec<String> = places.iter().map(ToString::to_string).collect();
    output::say(&format!("`{name}` for {} until {expires}", shown.join(", ")));
    let tenant = desk.trust.pin();
    let bodies = bodies(&meant, name, expires, context)?.into_iter().map(|(seen, body)| {
        let body = Secret { places: shown.clone(), ..body };
        Ok((seen, body.seal(tenant, &bytes).map_err(|why| anyhow::anyhow!("`{name}` is not sealed: {why}"))?))
    });
    hand_over(&desk, how, bodies.collect::<anyhow::Result<Vec<_>>>()?, context).await?;
    show(&desk, &meant, Some(name), context).await
}

/// Says that devices have a secret no more.
pub(super) async fn remove(whom: &Whom, how: &How, name: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let mut meant = whom.vouched(&desk).await?;
    let rows = desk.client.secrets(&clients(&meant), Some(name)).await?;
    let there: BTreeMap<&str, &SecretRow> =
        rows.iter().filter(|it| !it.is_gone).map(|it| (it.device.as_str(), it)).collect();
    meant.retain(|seen| there.contains_key(seen.id.hex().as_str()));
    if meant.is_empty() {
        bail!("none of these devices has a secret `{name}`; `remit secret list --client NAME` shows all");
    }
    output::say(&format!("`{name}` is removed"));
    let until = |seen: &Seen| there.get(seen.id.hex().as_str()).map_or(0, |it| it.expires_ms);
    let bodies = bodies(&meant, name, keys::now(context).plus_days(1), context)?.into_iter().map(|(seen, body)| {
        // As long as it would have held: so long the hub tells the device.
        let expires = body.expires.max(Time::from_ms(until(seen)));
        (seen, Secret { expires, ..body })
    });
    hand_over(&desk, how, bodies.collect(), context).await?;
    show(&desk, &meant, Some(name), context).await
}

/// Lists what devices have; of a name also those that lack it.
pub(super) async fn list(whom: &Whom, name: Option<&str>, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let meant = whom.seen(&desk).await?;
    show(&desk, &meant, name, context).await
}

/// A statement for each device, with nothing sealed in it yet.
fn bodies<'a>(
    meant: &'a [Seen],
    name: &str,
    expires: Time,
    context: &Context,
) -> anyhow::Result<Vec<(&'a Seen, Secret)>> {
    let (name, serial): (Name, u64) = (name.parse()?, context.clock.now_ms());
    let body = |seen: &'a Seen| {
        let (client, device, name) = (seen.place.client.clone(), seen.key.clone(), name.clone());
        (seen, Secret { serial, expires, client, device, name, places: Vec::new(), sealed: String::new() })
    };
    Ok(meant.iter().map(body).collect())
}

/// Shows whom it is for, has it agreed to, signs it for each device, and hands it over.
async fn hand_over(desk: &Desk, how: &How, bodies: Vec<(&Seen, Secret)>, context: &Context) -> anyhow::Result<()> {
    let now = keys::now(context);
    for (seen, _) in bodies.iter().take(NAMED_MAX) {
        output::say(&format!("  {} of {}", seen.called(), seen.place.client));
    }
    if bodies.len() > NAMED_MAX {
        output::say(&format!("  and {} more", bodies.len() - NAMED_MAX));
    }
    let mut all: BTreeMap<Name, Vec<Signed>> = BTreeMap::new();
    for (seen, body) in &bodies {
        let signed = Signed::new(statement::write(now, body)?, Vec::new());
        all.entry(seen.place.client.clone()).or_default().push(signed);
    }
    if let Some(first) = all.values().flatten().next() {
        output::say(&String::from_utf8_lossy(first.statement()));
    }
    if bodies.len() > 1 {
        output::say(&format!("and {} more statements, each for its device and sealed to it", bodies.len() - 1));
    }
    if !how.yes {
        technician::agree(&format!("Sign {}, one a device?", bodies.len()))?;
    }
    for mut signer in desk.signers(&how.keys, context)? {
        if signer.key()?.is_hardware() {
            output::say(&format!("touch the key {} once for each", signer.key()?.fingerprint()));
        }
        for signed in all.values_mut().flatten() {
            signed.sign(&mut signer)?;
        }
    }
    for signed in all.values() {
        desk.client.put_secrets(signed).await?;
    }
    Ok(())
}

fn clients(meant: &[Seen]) -> Vec<Name> {
    let clients: BTreeSet<&Name> = meant.iter().map(|it| &it.place.client).collect();
    clients.into_iter().cloned().collect()
}

async fn show(desk: &Desk, meant: &[Seen], name: Option<&str>, context: &Context) -> anyhow::Result<ExitCode> {
    let rows = desk.client.secrets(&clients(meant), name).await?;
    let mut found: BTreeMap<&str, Vec<&SecretRow>> = BTreeMap::new();
    rows.iter().for_each(|it| found.entry(it.device.as_str()).or_default().push(it));
    let mut shown = Vec::new();
    for seen in meant {
        let of_device = found.remove(seen.id.hex().as_str()).unwrap_or_default();
        if let (true, Some(name)) = (of_device.is_empty(), name) {
            shown.push(Row::missing(seen, name));
        }
        shown.extend(of_device.into_iter().map(|it| Row::of(seen, it)));
    }
    output::listed(&shown, &shown, context)?;
    Ok(ExitCode::SUCCESS)
}
