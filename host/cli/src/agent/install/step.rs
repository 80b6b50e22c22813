//! One thing that an installation has: whether it is there, how it is made, and how it is taken back.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use semver::Version;
use store::whole;

use super::accounts::{self, command};
use crate::agent::upgrade::Place;
use crate::stamp;

/// Where services of the machine's owner are described.
const UNITS: &str = "/etc/systemd/system";
/// Where those of packages are.
const PACKAGED: &str = "/usr/lib/systemd/system";
const SCRIPTS: &str = "/etc/init.d";

/// What there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    User {
        name: String,
    },
    Program {
        path: PathBuf,
        from: PathBuf,
    },
    /// Root's. What is in one that is state is somebody's.
    Folder {
        path: PathBuf,
        mode: u32,
        is_state: bool,
    },
    /// Written again where it differs.
    File {
        path: PathBuf,
        text: String,
        mode: u32,
    },
    /// Written where there is none, and then its owner's.
    Kept {
        path: PathBuf,
        text: String,
    },
    /// Which program is started; a newer one that came by order stays.
    Link {
        path: PathBuf,
        program: PathBuf,
    },
    /// These are started with the machine, and now.
    Systemd {
        units: &'static [&'static str],
        is_started: bool,
    },
    Sysv {
        scripts: &'static [&'static str],
        is_started: bool,
    },
}

/// What is wrong with a step; nothing where it is taken.
pub(crate) type What = Option<String>;

impl Step {
    /// What would be done.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::User { name } => format!("make the system user `{name}`, without password, home and shell"),
            Self::Program { path, from } => format!("copy {} to {}", from.display(), path.display()),
            Self::Folder { path, mode, .. } => format!("make the folder {} of root's, mode {mode:04o}", path.display()),
            Self::File { path, mode, .. } => format!("write {}, mode {mode:04o}", path.display()),
            Self::Kept { path, .. } => format!("write a sample into {}, which is never overwritten", path.display()),
            Self::Link { path, program } => {
                format!("have {} started, by the link {}", program.display(), path.display())
            }
            Self::Systemd { units, is_started: true } => format!("enable and start {}", units.join(", ")),
            Self::Systemd { units, .. } => format!("enable {}", units.join(", ")),
            Self::Sysv { scripts, is_started: true } => format!("update-rc.d and start {}", scripts.join(", ")),
            Self::Sysv { scripts, .. } => format!("update-rc.d {}", scripts.join(", ")),
        }
    }

    /// Whether it is something that services are started by.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::Program { .. } | Self::File { .. } | Self::Link { .. })
    }

    /// Whether it takes notice of those.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Systemd { .. } | Self::Sysv { .. })
    }

    /// What is wrong now.
    pub(crate) async fn missing(&self, root: &Path) -> What {
        match self {
            Self::User { name } => accounts::ids(root, name).is_none().then(|| format!("there is no user `{name}`")),
            Self::Program { path, from } => {
                let there = under(root, path);
                let differs = || format!("{} is not {}", path.display(), from.display());
                match (std::fs::read(&there), std::fs::read(from)) {
                    (Ok(there), Ok(from)) if there == from => mode_of(root, path, 0o755),
                    _ => Some(differs()),
                }
            }
            Self::Folder { path, mode, .. } => mode_of(root, path, *mode),
            Self::File { path, text, mode } => match std::fs::read(under(root, path)) {
                Ok(there) if there == text.as_bytes() => mode_of(root, path, *mode),
                Ok(_) => Some(format!("{} is not as this `remit` writes it", path.display())),
                Err(error) => Some(format!("{}: {error}", path.display())),
            },
            Self::Kept { path, .. } => (!under(root, path).exists()).then(|| format!("{} is missing", path.display())),
            Self::Link { program, .. } => {
                let place = Place::under(root);
                let is_newer = |ordered: Version| stamp::own().is_ok_and(|own| ordered > own.version);
                match place.started() {
                    Some(started) if started == *program || place.ordered().is_some_and(is_newer) => None,
                    Some(started) => Some(format!("{} is started, and not {}", started.display(), program.display())),
                    None => Some(format!("nothing has {} started", program.display())),
                }
            }
            Self::Systemd { units, is_started } => {
                let mut wrong = Vec::new();
                let words = [("is-enabled", "not enabled"), ("is-active", "not running")];
                for unit in *units {
                    for (word, says) in words.iter().take(if *is_started { 2 } else { 1 }) {
                        if systemctl(root, &[word, "--quiet", unit]).await.is_err() {
                            wrong.push(format!("{unit} is {says}"));
                        }
                    }
                }
                (!wrong.is_empty()).then(|| wrong.join(", "))
            }
            Self::Sysv { scripts, .. } => {
                let is_linked = |name: &&&str| {
                    let folder = std::fs::read_dir(root.join("etc/rc2.d")).into_iter().flatten().flatten();
                    folder
                        .filter_map(|it| it.file_name().into_string().ok())
                        .any(|it| it.starts_with('S') && it.ends_with(*name))
                };
                let off: Vec<&str> = scripts.iter().filter(|name| !is_linked(name)).copied().collect();
                (!off.is_empty()).then(|| format!("{} is not started with the machine", off.join(", ")))
            }
        }
    }

    /// Makes it. Done twice it is done once.
    pub(crate) async fn make(&self, root: &Path) -> anyhow::Result<()> {
        match self {
            Self::User { name } => accounts::add(root, name).await,
            Self::Program { path, from } => {
                let bytes = std::fs::read(from).with_context(|| format!("{}", from.display()))?;
                write(root, path, &bytes, 0o755)
            }
            Self::Folder { path, mode, .. } => {
                let folder = under(root, path);
                std::fs::create_dir_all(&folder)
                    .and_then(|()| own(&folder, *mode))
                    .with_context(|| format!("{}", path.display()))
            }
            Self::File { path, text, mode } => write(root, path, text.as_bytes(), *mode),
            Self::Kept { path, text } => write(root, path, text.as_bytes(), 0o644),
            Self::Link { program, .. } => Place::under(root).start_from_now_on(program),
            Self::Systemd { units, is_started } => {
                systemctl(root, &["daemon-reload"]).await?;
                systemctl(root, &[&["enable"], *units].concat()).await?;
                match is_started {
                    true => systemctl(root, &[&["restart"], *units].concat()).await,
                    false => Ok(()),
                }
            }
            Self::Sysv { scripts, is_started } => {
                for script in *scripts {
                    rc(root, &[script, "defaults"]).await?;
                    if *is_started {
                        service(root, script, "restart").await?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Takes it back. What somebody else may need stays, unless it is all to go.
    pub(crate) async fn take_back(&self, root: &Path, purge: bool) -> anyhow::Result<()> {
        match self {
            Self::Systemd { units, .. } => {
                let is_there =
                    |it: &&&str| [UNITS, PACKAGED].iter().any(|of| under(root, &Path::new(of).join(it)).exists());
                let known: Vec<&str> = units.iter().filter(is_there).copied().collect();
                match known.is_empty() {
                    true => Ok(()),
                    false => systemctl(root, &[&["disable", "--now"], &known[..]].concat()).await,
                }
            }
            Self::Sysv { scripts, .. } => {
                let is_there = |it: &&&str| under(root, &Path::new(SCRIPTS).join(it)).exists();
                for script in scripts.iter().rev().filter(is_there) {
                    service(root, script, "stop").await?;
                }
                Ok(())
            }
            Self::File { path, .. } => {
                remove(root, path)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                match path.parent() {
                    Some(folder) if folder == Path::new(UNITS) => systemctl(root, &["daemon-reload"]).await,
                    // Links of what is no script any more.
                    Some(folder) if folder == Path::new(SCRIPTS) => rc(root, &[&name, "remove"]).await,
                    _ => Ok(()),
                }
            }
            Self::Link { path, .. } => Place::under(root).remove().with_context(|| format!("{}", path.display())),
            Self::Kept { path, .. } if purge => remove(root, path),
            Self::Folder { path, is_state: true, .. } if purge => match std::fs::remove_dir_all(under(root, path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("{}", path.display()))
                }
                _ => Ok(()),
            },
            // Folders that have something in them stay.
            Self::Folder { path, is_state: false, .. } if purge => {
                let _ = std::fs::remove_dir(under(root, path));
                Ok(())
            }
            Self::User { name } if purge => accounts::remove(root, name).await,
            Self::Program { .. } | Self::Kept { .. } | Self::Folder { .. } | Self::User { .. } => Ok(()),
        }
    }

    /// What would be taken back, and what stays.
    pub(crate) fn shown_back(&self, purge: bool) -> String {
        match self {
            Self::Systemd { units, .. } => format!("stop and disable {}", units.join(", ")),
            Self::Sysv { scripts, .. } => format!("stop {}", scripts.join(", ")),
            Self::File { path, .. } => format!("remove {}", path.display()),
            Self::Link { path, .. } => format!("remove {} and what came by order", path.display()),
            Self::Program { path, .. } => format!("keep {}", path.display()),
            Self::Folder { path, .. } | Self::Kept { path, .. } if purge => format!("remove {}", path.display()),
            Self::User { name } if purge => format!("remove the user `{name}`"),
            Self::Folder { path, .. } | Self::Kept { path, .. } => {
                format!("keep {}; `--purge` removes it", path.display())
            }
            Self::User { name } => format!("keep the user `{name}`; `--purge` removes it"),
        }
    }
}

/// Where a path of the system lies.
fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn write(root: &Path, path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let file = under(root, path);
    let write = || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        whole::write(&file, bytes)?;
        own(&file, mode)
    };
    write().with_context(|| format!("{}", path.display()))
}

fn own(path: &Path, mode: u32) -> std::io::Result<()> {
    std::os::unix::fs::chown(path, Some(0), Some(0))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn remove(root: &Path, path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(under(root, path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| format!("{}", path.display())),
        _ => Ok(()),
    }
}

/// Whether it is root's, with this mode.
fn mode_of(root: &Path, path: &Path, mode: u32) -> What {
    match std::fs::symlink_metadata(under(root, path)) {
        Err(error) => Some(format!("{}: {error}", path.display())),
        Ok(there) if there.uid() != 0 => Some(format!("{} belongs to user {}, not root", path.display(), there.uid())),
        Ok(there) if there.mode() & 0o7777 != mode => {
            Some(format!("{} has mode {:04o}, not {mode:04o}", path.display(), there.mode() & 0o7777))
        }
        Ok(_) => None,
    }
}

async fn systemctl(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut all = vec!["--no-ask-password".to_owned()];
    if root != Path::new("/") {
        // What is not booted is started by its own boot.
        if arguments.first().is_some_and(|it| ["daemon-reload", "is-active", "restart"].contains(it)) {
            return Ok(());
        }
        all.push(format!("--root={}", root.display()));
    }
    let is_now = |it: &&&str| root == Path::new("/") || **it != "--now";
    all.extend(arguments.iter().filter(is_now).map(|&it| it.to_owned()));
    command("/usr/bin/systemctl", &all).await
}

async fn rc(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    inside(root, "/usr/sbin/update-rc.d", arguments).await
}

async fn service(root: &Path, script: &str, verb: &str) -> anyhow::Result<()> {
    match root == Path::new("/") {
        true => command(&format!("/etc/init.d/{script}"), &[verb.to_owned()]).await,
        false => Ok(()),
    }
}

/// Runs a tool of the system below that root.
async fn inside(root: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let arguments: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
    if root == Path::new("/") {
        return command(program, &arguments).await;
    }
    let chroot = [root.display().to_string(), program.to_owned()];
    command("/usr/sbin/chroot", &[&chroot[..], &arguments].concat()).await
}
