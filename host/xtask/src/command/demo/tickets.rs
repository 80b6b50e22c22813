//! A volume that runs full, fuller, and has room again.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::hand::{Hand, saw, text};
use crate::process::output;

const MIB: usize = 1 << 20;
/// How long the mail server may take to start.
const START_MAX: Duration = Duration::from_secs(15);

pub(super) fn life(hand: &Hand) -> anyhow::Result<()> {
    let server = MailServer::start(&hand.path("mail"))?;
    let port = server.port;
    hand.policy(&format!(
        "[notify.routes.technician]\nkind = \"smtp\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"remit@example.com\"\nto = [\"ada@example.com\"]\n"
    ))?;
    let volume = Volume::mount(hand)?;
    let mount = volume.mount.display().to_string();
    let mounts = format!("mounts={}", Value::from(vec![mount.clone()]));
    #[rustfmt::skip]
    let args = [
        "--mode", "enforce", "--param", "min-free-percent=30", "--param", &mounts, "--allow", "ticket [*]",
        "--allow", "notify [technician]", "--allow", "kv-write [told/*]",
    ];

    fs::write(volume.mount.join("logs"), vec![0; 45 * MIB])?;
    hand.run("disk-space", &args)?.must("non-compliant", &[10])?;
    let ticket = only_ticket(hand)?;
    ensure!(text(&ticket, "status") == "new" && occurrences(&ticket) == 1, "{ticket}");
    saw(&format!("{} is new, and was raised once", text(&ticket, "number")));
    let mail = server.mail()?;
    ensure!(mail.contains("ada@example.com") && mail.contains(&mount), "the mail says: {mail}");
    saw("the mail server has the mail, and it names the volume");

    fs::write(volume.mount.join("more"), vec![0; 8 * MIB])?;
    hand.run("disk-space", &args)?.must("non-compliant", &[10])?;
    let again = only_ticket(hand)?;
    ensure!(text(&again, "id") == text(&ticket, "id") && occurrences(&again) == 2, "{again}");
    saw(&format!("still one ticket, {}: two occurrences", text(&again, "number")));

    fs::remove_file(volume.mount.join("logs"))?;
    hand.run("disk-space", &args)?.must("fixed", &[0])?;
    let closed = only_ticket(hand)?;
    ensure!(text(&closed, "id") == text(&ticket, "id") && text(&closed, "status") == "resolved", "{closed}");
    saw(&format!("{} is resolved, by the plugin that raised it", text(&closed, "number")));
    Ok(())
}

fn only_ticket(hand: &Hand) -> anyhow::Result<Value> {
    let listed = hand.remit(&["ticket", "list", "--all"])?.json;
    let tickets = listed.as_array().context("a list of tickets")?;
    ensure!(tickets.len() == 1, "{} tickets", tickets.len());
    tickets.first().cloned().context("a ticket")
}

fn occurrences(ticket: &Value) -> u64 {
    ticket.get("occurrences").and_then(Value::as_u64).unwrap_or_default()
}

/// A small volume of its own, in a file.
struct Volume {
    mount: PathBuf,
}

impl Volume {
    fn mount(hand: &Hand) -> anyhow::Result<Self> {
        let (image, mount) = (hand.path("volume.img"), hand.path("volume"));
        fs::create_dir(&mount)?;
        fs::File::create(&image)?.set_len(64 * MIB as u64)?;
        output(Command::new("mkfs.ext4").arg("-q").args(["-m", "0"]).arg(&image))?;
        output(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))
            .context("a loop device is what the volume of the demo lies on")?;
        Ok(Self { mount })
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

/// A real mail server on loopback, which keeps what it gets in a Maildir.
struct MailServer {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl MailServer {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        // Free a moment ago; nobody else on loopback is likely to take it meanwhile.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("/usr/bin/python3")
            .args(["-m", "aiosmtpd", "--nosetuid", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("python3-aiosmtpd")?;
        let server = Self { child, folder: folder.to_owned(), port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(began.elapsed() < START_MAX, "the mail server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The first mail that it has. A run ends after its mail has left, so there is nothing to wait for.
    fn mail(&self) -> anyhow::Result<String> {
        let first = fs::read_dir(self.folder.join("new"))?.next().context("no mail has come")??;
        Ok(fs::read_to_string(first.path())?)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
