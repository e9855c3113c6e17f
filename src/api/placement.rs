//! The nodes of a cluster as requests see them: which of them answers for an account, and for how long this one may.

use super::auth::secret::Secret;
use super::node_status::Nodes;
use futures_util::future::BoxFuture;
use slackwater_engine::record::Position;
use std::fmt::Debug;
use std::sync::Arc;

/// The cluster that this node is part of.
pub trait Placement: Debug + Send + Sync {
    /// The node that answers for an account, as far as this one knows by now.
    fn route(&self, account: &str) -> Route;

    /// The lease under which this node may show feeds of an account now, be it as the node that stands by; without an account, feeds of
    /// nobody. None if it may not.
    fn permit(&self, account: Option<&str>) -> Option<Permit>;

    /// Makes this node answer for an account that no other can be reached for, and waits until it does or a node can be asked that is not
    /// among those `tried`, for a few seconds at most. The next [`Self::route`] says what came of it.
    fn claim<'a>(&'a self, account: &'a str, tried: &'a [Server]) -> BoxFuture<'a, ()>;

    /// A connection to a node failed: it is tried last for a while.
    fn mark_away(&self, node: &str);

    /// Waits until relations that are in the log are in force on every node that may show their accounts: each as the id of its account
    /// and the position of its record. It waits for ever if a node never gets there.
    fn in_force(&self, relations: Vec<(String, Position)>) -> BoxFuture<'_, ()>;

    /// Whether this node does a kind of work that one node at a time does.
    fn works(&self, work: &str) -> bool;

    /// The name of this process, which no other has.
    fn run(&self) -> String;

    /// All nodes that were heard of.
    fn nodes(&self) -> Nodes;

    /// Why this node shows no feeds, if it does not.
    fn trouble(&self) -> Option<String>;

    /// Waits until a node is gone: nothing was heard of it for longer than its lease lasts, so that it shows no feeds, whatever its
    /// connections look like.
    fn gone<'a>(&'a self, node: &'a str) -> BoxFuture<'a, ()>;

    /// The secret of the cluster, which signs requests between its nodes.
    fn secret(&self) -> &Secret;
}

/// The node that answers for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// This one.
    Here,
    /// The first of these that answers.
    There(Vec<Server>),
    /// None.
    Nowhere,
}

/// Another node that answers for an account, or could soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub node: Arc<str>,
    /// Its address, as a URL without a path.
    pub address: Arc<str>,
}

/// The lease under which this node shows feeds.
pub trait Lease: Debug + Send + Sync {
    /// Whether it has held from when it was given until now.
    fn is_good(&self) -> bool;

    /// Waits until the streams of the account are to end here: the lease has run out some time ago, or another node answers for the
    /// account.
    fn ended(&self) -> BoxFuture<'_, ()>;
}

/// A lease that was good when it was given.
pub type Permit = Arc<dyn Lease>;
