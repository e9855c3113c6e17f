//! Relations as documents.
