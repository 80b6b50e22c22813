//! The standing orders in their folder, as they are now, and when they change.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use agent::{ORDER_BYTES_MAX, Order};
use anyhow::Context as _;
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The most orders of a device: each has a line in every list.
const ORDERS_MAX: usize = 1_000;

/// How long after a change the next one may follow that belongs to it.
const SETTLE: Duration = Duration::from_millis(300);

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// By name.
    pub(crate) orders: BTreeMap<String, Order>,
    /// What is wrong with the others, by the name of the file. They are left out, and the rest goes on.
    pub(crate) problems: BTreeMap<String, Vec<String>>,
}

/// Reads them. A folder that is not there holds none; one that others may write to is refused whole, and so is each such file.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Read> {
    let mut read = Read::default();
    let shown = || format!("the folder of orders {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(read),
        Err(error) => return Err(error).with_context(shown),
    };
    if let Some(problem) = trespass(folder) {
        anyhow::bail!("{}: {problem}", shown());
    }
    for entry in entries {
        let path = entry.with_context(shown)?.path();
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        match (agent::order_name(&file), read.orders.len()) {
            (None, _) => {}
            (Some(Err(problem)), _) => drop(read.problems.insert(file, vec![problem])),
            (Some(Ok(_)), ORDERS_MAX..) => {
                read.problems
                    .insert(file, vec![format!("there are more than {ORDERS_MAX} orders: this one is left out")]);
            }
            (Some(Ok(name)), _) => match read_one(&path) {
                Ok(order) => drop(read.orders.insert(name, order)),
                Err(problems) => drop(read.problems.insert(file, problems)),
            },
        }
    }
    Ok(read)
}

/// Tells when something in folders changed.
pub(crate) struct Changes {
    told: mpsc::Receiver<()>,
    /// When it is told, where something changed.
    settled: Option<Instant>,
    /// It watches while it lives. Where the system watches nothing, a reload that somebody asks for still counts.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Changes {
    /// A folder that is not there yet counts from the next start on.
    pub(crate) fn of(folders: &[&Path]) -> Self {
        let (tell, told) = mpsc::channel(1);
        let changed = move |event: notify::Result<notify::Event>| {
            // Reading them is no change of theirs. One that waits to be heard is enough.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = tell.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(changed).inspect_err(|error| {
            tracing::warn!(%error, "orders are not watched: reload the agent where they change");
        });
        let watcher = watcher.ok().map(|mut watcher| {
            for folder in folders {
                let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
            }
            watcher
        });
        Self { told, settled: None, _watcher: watcher }
    }

    /// Waits for a change, and until whoever makes it has had the time to be done. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) {
        loop {
            let settled = async {
                match self.settled {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = self.told.recv() => {
                    if told.is_none() {
                        return std::future::pending().await;
                    }
                    // One that goes on writing is not waited for for ever.
                    self.settled.get_or_insert_with(|| Instant::now() + SETTLE);
                }
                () = settled => {
                    self.settled = None;
                    return;
                }
            }
        }
    }
}

fn read_one(path: &Path) -> Result<Order, Vec<String>> {
    let shown = path.display().to_string();
    if let Some(problem) = trespass(path) {
        return Err(vec![format!("{shown}: {problem}")]);
    }
    let io = |error: std::io::Error| vec![format!("{shown}: {error}")];
    let bytes = path.metadata().map_err(io)?.len();
    if usize::try_from(bytes).unwrap_or(usize::MAX) > ORDER_BYTES_MAX {
        return Err(vec![format!("{shown}: it has {bytes} bytes: at most {ORDER_BYTES_MAX} are read")]);
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    Order::from_toml(&shown, &text).map_err(|bad| bad.0)
}

/// Why somebody else than the agent's owner could have written it.
fn trespass(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.metadata().ok()?;
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != 0 && found.uid() != me {
        return Some(format!(
            "user {} owns it: `chown root {}`, if you trust what is in there",
            found.uid(),
            path.display()
        ));
    }
    let is_writable = found.mode() & 0o022 != 0;
    is_writable
        .then(|| format!("others may write to it: `chmod go-w {}`, if you trust what is in there", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ORDER: &str = r#"
        format = 1
        plugin = "disk-space"
        digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        mode = "detect"
        schedule = { cron = "0 2 * * *", zone = "UTC" }
    "#;

    #[test]
    fn what_is_wrong_with_one_is_no_harm_to_the_others() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("none")).unwrap().orders.is_empty());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("night.toml", ORDER);
        write("typo.toml", &ORDER.replace("mode", "mood"));
        write("Bad Name.toml", ORDER);
        write("loose.toml", ORDER);
        write("README", "what lies here");
        let loose = folder.path().join("loose.toml");
        std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o666)).unwrap();
        let names =
            |read: Read| (read.orders.into_keys().collect::<Vec<_>>(), read.problems.into_keys().collect::<Vec<_>>());
        let found = names(read(folder.path()).unwrap());
        assert_eq!(
            found,
            (vec!["night".into()], vec!["Bad Name.toml".into(), "loose.toml".into(), "typo.toml".into()])
        );
        std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(names(read(folder.path()).unwrap()).0, ["loose", "night"]);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("chmod go-w"));
    }
}
