//! The attacks, the twins of OpenSSH, and what old and new say to each other.

mod attacks;
mod fleet;
mod folder;
mod formats;
mod hardware;
mod indexes;
mod on_its_way;
mod openssh;
mod people;
mod samples;
mod scene;
mod secrets;
mod standing;
mod statements;
mod world;
