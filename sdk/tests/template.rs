//! The project that `remit new` writes works as it lies there: its test runs here.

#[path = "../template/src/lib.rs"]
mod template;
