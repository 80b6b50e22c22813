//! What there is or is not, whatever a power cut does: files that are replaced as a whole ([`whole`]), and the points beside durable
//! writes at which a test has a process die ([`fail`]).

pub mod fail;
pub mod whole;
