//! The inbox mode: what other servers deliver is passed on to the backend as it came, and recorded if the backend took it and its
//! signature is by its actor. A backend that answers 2xx has not said who the author is: Mastodon answers before it looks.
//!
//! ```text
//! passage -> recorder -> signature (pure)
//!                     -> actor_keys -> key_fetch -> addresses (pure), signing_key (pure)
//!                                   -> key_document, public_key (pure)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `passage` | a request passed on, and its answer passed back |
//! | `recorder` | what was taken there: verified, and appended to the log |
//! | `inbox_request`, `not_recorded` | a request to an inbox; why it is not recorded |
//! | `signature` | who says to have signed a request, and which bytes |
//! | `public_key`, `key_document` | a key, and an actor's document that has it |
//! | `actor_keys`, `key_fetch`, `fetch_budget` | keys of actors: cached, fetched, and how often |
//! | [`addresses`] | the addresses that may be connected to |
//! | [`signing_key`] | the key that fetches are signed with |

mod actor_keys;
pub mod addresses;
mod fetch_budget;
mod inbox_request;
mod key_document;
mod key_fetch;
mod not_recorded;
pub(crate) mod passage;
mod public_key;
pub(crate) mod recorder;
mod signature;
pub mod signing_key;

pub(crate) use inbox_request::is_inbox;

use crate::api::auth::secret::Secret;
use ipnet::IpNet;
use url::Url;

/// The table `[inbox]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The address of the backend, whose inboxes these are: http or https, without a path.
    pub upstream: Url,
    /// Networks in which keys are fetched although they are no part of the public internet; there also over http. Default none.
    pub allow_addresses: Vec<IpNet>,
    /// The key that fetches are signed with, if they are to be. Default none.
    pub signing: Option<SigningOptions>,
}

/// The key of an actor of the backend, for servers that answer no fetch without a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningOptions {
    /// The private key, RSA, PEM.
    pub key: Secret,
    /// Its id, under which others find the public key: an http or https URL.
    pub key_id: String,
}
