//! What holds for any bytes at all, one function for each target: `fuzz_targets` look for bytes for which it does not, and
//! `tests/it/corpus.rs` of the service tries those that were kept, with the ordinary toolchain.

pub mod configuration;
pub mod cursor;
pub mod decode;
pub mod html;
pub mod lines;
pub mod recovery;
