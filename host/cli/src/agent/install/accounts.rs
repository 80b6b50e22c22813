//! The user that the network half is, made by the system's own tool.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use backends::spawn::Spawn;

/// Long enough for a lock that another tool holds.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Its number, and that of its group; nothing where there is no such user.
pub(crate) fn ids(root: &Path, name: &str) -> Option<(u32, u32)> {
    let text = std::fs::read_to_string(root.join("etc/passwd")).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let (_, uid, gid) = (fields.next()?, fields.next()?, fields.next()?);
        is_it.then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
    })
}

/// Makes it: without a password, a home or a shell.
pub(super) async fn add(root: &Path, name: &str) -> anyhow::Result<()> {
    let options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
    let more = ["--shell", "/usr/sbin/nologin", "--comment", "Remit agent", name];
    account(root, "useradd", &[&options[..], &more].concat()).await
}

/// Takes it away, with its group.
pub(super) async fn remove(root: &Path, name: &str) -> anyhow::Result<()> {
    account(root, "userdel", &[name]).await
}

async fn account(root: &Path, tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut all: Vec<String> = Vec::new();
    if root != Path::new("/") {
        all.extend(["--prefix".to_owned(), root.display().to_string()]);
    }
    all.extend(arguments.iter().map(|&it| it.to_owned()));
    let program = format!("/usr/sbin/{tool}");
    command(&program, &all).await.with_context(|| format!("the user cannot be changed with {program}"))
}

/// Runs a tool of the system that must succeed.
pub(super) async fn command(program: &str, arguments: &[String]) -> anyhow::Result<()> {
    let spawn = Spawn::new(program, Instant::now() + TIME_MAX).args(arguments.iter().cloned());
    let output = spawn.run().await.map_err(|error| anyhow::anyhow!("{}", error.message))?;
    if output.code != 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program} {}` ended with {}: {}", arguments.join(" "), output.code, said.trim());
    }
    Ok(())
}
