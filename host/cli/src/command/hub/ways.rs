//! By which ways a hub tells somebody: those of a device, with the routes and the passwords in the hub's folder.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use backends::notify::{self, Message, Policy, Route, Way};
use backends::secrets::{Secrets, Vault};
use hub::{Budgets, Hub, Notifier, Sent, Telling, Ways};
use model::Clock;
use serde::Deserialize;

/// Whom the hub tells, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Written {
    /// `[all.routes.NAME]`, as in a device's host policy: for the devices of every client.
    all: Policy,
    /// `[clients.CLIENT.routes.NAME]`: for those of one, before what is for all.
    clients: BTreeMap<String, Policy>,
    device_per_hour_max: Option<u32>,
    client_per_hour_max: Option<u32>,
}

/// Routes, and what opens them.
struct Routes {
    written: Written,
    secrets: Secrets,
}

/// Has somebody told by the ways that are written in the hub's folder; without that file, nobody. Passwords and tokens are secrets in
/// that folder: `remit --state FOLDER secret set NAME --for notify:ROUTE`.
pub(super) fn notifier(hub: &Arc<Hub>, folder: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Notifier> {
    let written = read(folder)?;
    let most = Budgets::default();
    let budgets = Budgets {
        device_per_hour_max: written.device_per_hour_max.unwrap_or(most.device_per_hour_max),
        client_per_hour_max: written.client_per_hour_max.unwrap_or(most.client_per_hour_max),
    };
    let secrets = Secrets::new(Vault::new(&folder.join("secrets")), Arc::clone(clock));
    Ok(Notifier::new(Arc::clone(hub), Box::new(Routes { written, secrets }), budgets))
}

fn read(folder: &Path) -> anyhow::Result<Written> {
    let path = folder.join(Notifier::FILE);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Written::default()),
        text => text.with_context(|| format!("{}", path.display()))?,
    };
    let written: Written = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let mut all = written.clients.values().chain([&written.all]).flat_map(|it| &it.routes);
    let circle = all.find(|(_, route)| matches!(route.way, Way::Hub)).map(|(name, _)| name.clone());
    drop(all);
    if let Some(name) = circle {
        bail!("{}: the route `{name}` says `hub`, and this is it", path.display());
    }
    Ok(written)
}

impl Routes {
    fn route(&self, it: &Telling) -> Option<&Route> {
        let of_client = self.written.clients.get(&it.client).and_then(|of| of.routes.get(&it.audience));
        of_client.or_else(|| self.written.all.routes.get(&it.audience))
    }
}

#[async_trait]
impl Ways for Routes {
    async fn tell(&self, it: &Telling, within: Duration) -> Sent {
        let Some(route) = self.route(it) else {
            return Sent::Never(format!("the hub has no route `{}` in {}", it.audience, Notifier::FILE));
        };
        let Ok(mut message) = serde_json::from_str::<Message>(&it.message) else {
            return Sent::Never("it is of a newer device, and cannot be read here".to_owned());
        };
        // What it goes by is the hub's: a device says nothing in another's name.
        message.number = it.number;
        for event in &mut message.events {
            event.device.clone_from(&it.device);
        }
        let source = format!("{} ({}) of {}", it.source, it.device.get(..12).unwrap_or_default(), it.client);
        match notify::send(route, (source.trim_start(), &it.audience), &message, &self.secrets, within).await {
            notify::Sent::Delivered(_) => Sent::Delivered,
            notify::Sent::Later { problem, retry_after_ms } => Sent::Later { problem, retry_after_ms },
            notify::Sent::Never(problem) => Sent::Never(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use model::ManualClock;
    use serde_json::json;

    use super::*;

    const DEVICE: &str = "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c";

    fn routes(text: &str) -> anyhow::Result<Routes> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(Notifier::FILE), text).unwrap();
        let clock = Arc::new(ManualClock::new(1_000)) as Arc<dyn Clock>;
        let secrets = Secrets::new(Vault::new(&folder.path().join("secrets")), clock);
        Ok(Routes { written: read(folder.path())?, secrets })
    }

    fn telling(audience: &str) -> Telling {
        let event = json!({
            "device": "forged", "plugin": "disks", "run": "run_1", "at-ms": 1_000,
            "stated": {
                "dedup-key": "disk", "audience": audience, "severity": "critical", "summary": "the disk is full",
                "component": "", "group": "", "event-class": "", "links": [], "attributes": [],
            },
        });
        let message = json!({
            "number": 77, "action": "trigger", "events": [event], "queued-ms": 1_000, "not-before-ms": 1_000, "held": false,
            "attempts": 0, "claimed-until-ms": 0, "problem": "",
        });
        Telling {
            number: 5,
            client: "acme".to_owned(),
            device: DEVICE.to_owned(),
            audience: audience.to_owned(),
            source: "web-1".to_owned(),
            message: message.to_string(),
            tries: 0,
            at_ms: 1_000,
        }
    }

    /// Answers one request, and gives all of it.
    fn one(listener: &TcpListener, status: &str) -> String {
        let mut stream: BufReader<TcpStream> = BufReader::new(listener.accept().unwrap().0);
        let (mut whole, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            length = lower.strip_prefix("content-length:").map_or(length, |it| it.trim().parse().unwrap());
            whole.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        whole + &String::from_utf8(body).unwrap()
    }

    #[tokio::test]
    async fn a_device_is_told_of_in_its_own_name_with_one_id_for_all_tries() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let routes = routes(&format!("[all.routes.on-call]\nkind = 'webhook'\nurl = '{url}'")).unwrap();
        let seen = std::thread::spawn(move || [one(&listener, "503 Busy"), one(&listener, "200 OK")]);
        let within = Duration::from_secs(10);
        assert!(matches!(routes.tell(&telling("on-call"), within).await, Sent::Later { .. }));
        assert_eq!(routes.tell(&telling("on-call"), within).await, Sent::Delivered);
        for request in seen.join().unwrap() {
            assert!(request.contains(&format!("{DEVICE}-on-call-5")), "{request}");
            assert!(request.contains("web-1") && request.contains("acme") && !request.contains("forged"), "{request}");
        }
    }

    #[tokio::test]
    async fn of_a_client_s_routes_and_those_for_all_the_client_s_come_first() {
        let all = "[all.routes.on-call]\nkind = 'webhook'\nurl = 'https://all.example.com'\n";
        let own = "[clients.acme.routes.on-call]\nkind = 'webhook'\nurl = 'https://acme.example.com'\n";
        let routes = routes(&format!("{all}{own}")).unwrap();
        let chosen = |it: &Telling| format!("{:?}", routes.route(it));
        assert!(chosen(&telling("on-call")).contains("acme.example.com"));
        let other = Telling { client: "globex".to_owned(), ..telling("on-call") };
        assert!(chosen(&other).contains("all.example.com"));
        let Sent::Never(why) = routes.tell(&telling("nobody"), Duration::from_secs(1)).await else {
            panic!("somebody was told")
        };
        assert!(why.contains("no route `nobody`"), "{why}");
    }

    #[test]
    fn what_is_written_wrong_is_said() {
        for (text, part) in [
            ("[all.routes.on-call]\nkind = 'hub'", "this is it"),
            ("[all.routes.on-call]\nkind = 'fax'", "fax"),
            ("per-hour-max = 3", "per-hour-max"),
        ] {
            let problem = format!("{:#}", routes(text).err().unwrap());
            assert!(problem.contains(part), "{problem}");
        }
        assert!(routes("device-per-hour-max = 3").is_ok());
    }
}
