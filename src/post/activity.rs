//! From bytes to meaning.
