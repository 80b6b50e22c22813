//! What Linux keeps in files, parsed once for `device`, `device-people`, `query` and `software`. Whoever can write such a
//! file chooses its content: a line that nobody can read is left out, and nothing is read without a limit.

pub(crate) mod accounts;
pub(crate) mod dpkg;
pub(crate) mod hardware;
pub(crate) mod logind;
pub(crate) mod mounts;
pub(crate) mod os_release;
mod root;
pub(crate) mod utmp;

pub(crate) use root::Root;
