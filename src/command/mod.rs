//! What the command line can do: a file for each command, and what they share.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod configuration;
pub(crate) mod copy_log;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod exit;
pub(crate) mod line;
pub(crate) mod man;
pub(crate) mod mastodon;
pub(crate) mod mastodon_compare;
pub(crate) mod serve;
pub(crate) mod terminal;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod tune;
