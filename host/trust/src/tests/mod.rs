//! The attacks, the twins of OpenSSH, and what old and new say to each other.

mod attacks;
mod folder;
mod formats;
mod hardware;
mod indexes;
mod on_its_way;
mod openssh;
mod standing;
mod world;
