//! Whichever log is configured.
