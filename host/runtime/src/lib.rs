//! Runs one plugin once, safely.

mod adapters;
