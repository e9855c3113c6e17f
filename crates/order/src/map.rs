//! The map from hosts: the standard library's, or hashbrown's with the feature of that name.

#[cfg(feature = "hashbrown")]
pub(crate) use hashbrown::HashMap;
#[cfg(not(feature = "hashbrown"))]
pub(crate) use std::collections::HashMap;
