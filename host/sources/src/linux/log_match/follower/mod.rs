//! A file that is followed by its name while it is rotated.
//!
//! Every line is handed over once: a file that was moved away is read to its end, and a while longer, because who writes it may not
//! know yet; where it was copied and truncated, what was not read yet is in the copy; and what was rotated while nobody looked is
//! found beside it. How far it was read can be kept, and gone on with.

mod followed;
mod siblings;

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::followed::{Followed, Position, Read};

/// How long a file is still read that was moved away and is written no more.
const GRACE: Duration = Duration::from_mins(1);
/// The most files that are read at a time.
const FILES_MAX: usize = 8;

/// How far a log was read: its files, the one with its name last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    files: Vec<Position>,
}

/// A log, by its name.
pub(super) struct Follower {
    path: PathBuf,
    /// The oldest first.
    files: VecDeque<Followed>,
    /// When the last file was written that is gone since, where it was left in one.
    left_ns: Option<i64>,
}

impl Follower {
    /// From where it was left, or else from its end. A file that is made later is read from its beginning.
    pub(super) fn new(path: &Path, kept: Option<Kept>) -> Self {
        let Some(kept) = kept else {
            return Self { path: path.to_owned(), files: Followed::at_end(path).into_iter().collect(), left_ns: None };
        };
        let left_ns = kept.files.last().map(|it| it.modified_ns);
        let found = kept.files.into_iter().filter_map(|position| {
            let file = siblings::find(path, position.id)?;
            Followed::at(&file, position)
        });
        Self { path: path.to_owned(), files: found.collect(), left_ns }
    }

    /// How far it was read.
    pub(super) fn kept(&self) -> Kept {
        Kept { files: self.files.iter().map(|it| it.position.clone()).collect() }
    }

    /// Whether a file is read that nothing at its name tells of.
    pub(super) fn has_moved(&self) -> bool {
        self.files.len() > 1
    }

    /// Hands over lines of about so many bytes. Says whether there may be more.
    pub(super) fn read(&mut self, bytes_max: usize, line: &mut dyn FnMut(&[u8])) -> bool {
        self.find_new();
        let (mut left, mut at) = (bytes_max, 0);
        while let Some(file) = self.files.get_mut(at) {
            match file.read(&mut left, line) {
                Read::More => return true,
                Read::End => at += 1,
                Read::Truncated => {
                    let position = file.position.clone();
                    let is_last = at + 1 == self.files.len();
                    let known: Vec<_> = self.files.iter().map(|it| it.position.id).collect();
                    if is_last {
                        self.files.get_mut(at).into_iter().for_each(Followed::restart);
                        if let Some(rest) = siblings::copy_of(&self.path, position, &known) {
                            self.files.insert(at, rest);
                        }
                    } else {
                        self.files.remove(at);
                    }
                }
            }
        }
        while self
            .files
            .front()
            .is_some_and(|it| self.files.len() > 1 && (it.is_still(GRACE) || self.files.len() > FILES_MAX))
        {
            if let Some(mut over) = self.files.pop_front() {
                over.finish(line);
            }
        }
        false
    }

    /// Where another file has the name, it is read from its beginning, after what was rotated in between.
    fn find_new(&mut self) {
        let Some(current) = std::fs::metadata(&self.path).ok().filter(std::fs::Metadata::is_file) else { return };
        let (id, last) = ((current.dev(), current.ino()), self.files.back());
        if last.is_some_and(|last| last.position.id == id) {
            return;
        }
        if let Some(since_ns) = last.map(Followed::modified_ns).or(self.left_ns) {
            let known: Vec<_> = self.files.iter().map(|it| it.position.id).chain([id]).collect();
            self.files.extend(siblings::rotated_since(&self.path, since_ns, &known));
        }
        self.files.extend(Followed::at_start(&self.path));
    }
}
