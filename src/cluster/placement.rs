//! The cluster as requests see it.

use super::{Cluster, Permit};
use crate::api::auth::secret::Secret;
use crate::api::node_status::Nodes;
use crate::api::placement::{self, Placement, Route, Server};
use futures_util::future::BoxFuture;
use slackwater_cluster::node;
use slackwater_engine::record::Position;
use std::sync::Arc;

impl Placement for Cluster {
    fn route(&self, account: &str) -> Route {
        match self.route_of(account) {
            node::Route::Here(_) => Route::Here,
            node::Route::Nowhere => Route::Nowhere,
            node::Route::There(servers) => {
                let server = |(node, address): (String, String)| Server {
                    node: node.into(),
                    address: address.into(),
                };
                Route::There(servers.into_iter().map(server).collect())
            }
        }
    }

    fn permit(&self, account: Option<&str>) -> Option<placement::Permit> {
        let permit = self.permit_for(account)?;
        Some(Arc::new(permit))
    }

    fn claim<'a>(&'a self, account: &'a str, tried: &'a [Server]) -> BoxFuture<'a, ()> {
        let is_elsewhere = move || match self.route(account) {
            Route::There(servers) => servers.iter().any(|server| !tried.contains(server)),
            Route::Here | Route::Nowhere => false,
        };
        Box::pin(self.claim_for(account, is_elsewhere))
    }

    fn mark_away(&self, node: &str) {
        self.is_away(node);
    }

    fn gone<'a>(&'a self, node: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.until_gone(node))
    }

    fn in_force(&self, relations: Vec<(String, Position)>) -> BoxFuture<'_, ()> {
        Box::pin(self.until_in_force(relations))
    }

    fn works(&self, work: &str) -> bool {
        self.does(work)
    }

    fn run(&self) -> String {
        self.0.node.lock().settings().run.clone()
    }

    fn nodes(&self) -> Nodes {
        self.all_nodes()
    }

    fn trouble(&self) -> Option<String> {
        self.why_not_serving()
    }

    fn secret(&self) -> &Secret {
        self.secret_of_nodes()
    }
}

impl placement::Lease for Permit {
    fn is_good(&self) -> bool {
        self.is_still_good()
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.until_ended())
    }
}
