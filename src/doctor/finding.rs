//! One thing that was looked at, what it means, and what to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is about, in a word or two: `broker`, `disk`.
    pub about: String,
    /// How it is.
    pub state: State,
    /// What was found and what that means.
    pub found: String,
    /// What to do; null if there is nothing to do.
    pub to_do: Option<String>,
}

/// How something is, from good to bad.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// The service works, and not as well as it could, or not for long.
    Warning,
    /// Something does not work.
    Wrong,
}

/// A finding before it is said what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    state: State,
    found: String,
    to_do: Option<String>,
}

impl Found {
    pub(super) fn ok(found: impl Into<String>) -> Found {
        Found {
            state: State::Ok,
            found: found.into(),
            to_do: None,
        }
    }

    pub(super) fn warning(found: impl Into<String>, to_do: impl Into<String>) -> Found {
        Found {
            state: State::Warning,
            found: found.into(),
            to_do: Some(to_do.into()),
        }
    }

    pub(super) fn wrong(found: impl Into<String>, to_do: impl Into<String>) -> Found {
        Found {
            state: State::Wrong,
            found: found.into(),
            to_do: Some(to_do.into()),
        }
    }

    pub(super) fn about(self, about: &str) -> Finding {
        Finding {
            about: about.to_owned(),
            state: self.state,
            found: self.found,
            to_do: self.to_do,
        }
    }
}
