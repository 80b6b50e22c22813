//! A managed host's own corner of the control groups, in every hierarchy there is: two hosts in one would mistake each other's
//! units for their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::names;

/// The groups of one host. They go when it is dropped, and by then nothing may be left in them.
pub(crate) struct Cgroups {
    folders: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes the groups, after removing those whose test did not live to do it.
    pub(crate) fn new(name: &str) -> Self {
        let hierarchies = hierarchies();
        hierarchies.iter().flat_map(|it| names::left_behind(it)).for_each(|it| drop(remove(&it)));
        let folders: Vec<PathBuf> = hierarchies.iter().map(|it| it.join(name)).collect();
        folders.iter().for_each(|it| fs::create_dir(it).unwrap());
        Self { folders }
    }

    /// Where a process writes `0` to move itself.
    pub(crate) fn entries(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|it| it.join("cgroup.procs"))
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        // The kernel takes a moment to bury the dead.
        let deadline = Instant::now() + Duration::from_secs(5);
        for folder in &self.folders {
            while let Err(error) = remove(folder) {
                if Instant::now() > deadline {
                    eprintln!("{} stays behind: {error}", folder.display());
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let of = |line: &str| {
        let mut fields = line.split(' ');
        let (_, folder, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        // A new group there has no processors until it is given some, and nothing here needs it.
        let is_cpuset = options.split(',').any(|option| option == "cpuset");
        (kind.starts_with("cgroup") && !is_cpuset).then(|| PathBuf::from(folder))
    };
    mounts.lines().filter_map(of).collect()
}

fn remove(group: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
        remove(&entry.path())?;
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
