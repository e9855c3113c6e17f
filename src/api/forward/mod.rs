//! Requests that another node of the cluster answers, passed on to it.
//!
//! The node that a client reaches finds out who asks, and for which account. If another node answers for that account, the request goes
//! there as it came, with its caller signed, and the answer comes back as it is. A request is passed on once: a node that gets one for an
//! account that it does not answer for says so (421), and the next is tried.
//!
//! | module | what it is |
//! |---|---|
//! | `account_of` | the account that a request is for |
//! | `hop` | the caller, signed for the other node |
//! | `resend` | a request that can be sent to another node if the first does not take it |
//! | `node_client` | connections to other nodes |
//! | `node_queries` | what one node asks another in its own name |
//! | `edge` | a request answered here, passed on, or refused |
//! | `answer` | the answer of another node: a page, or a stream that is relayed |
//! | `relay`, `frames` | a websocket between a client and another node |

pub(crate) mod account_of;
mod answer;
mod edge;
mod frames;
pub(crate) mod hop;
mod node_client;
mod node_queries;
mod relay;
mod resend;

pub(crate) use edge::Edge;
pub(crate) use hop::VERSION;
pub(crate) use node_queries::{NodeQueries, NodeQueryError};
