//! The built-in log.
