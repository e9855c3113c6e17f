//! A route: what the router and the document need to know of it.

use super::operation::{Operation, Schemas};
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter};

/// A route, and the operation that describes it. Its handler works with `S`, and the routes of one `G` are under the same checks.
pub(crate) struct Route<S, G> {
    group: G,
    method: Method,
    /// The path as the router has it.
    pub(crate) path: &'static str,
    handler: fn(MethodFilter) -> MethodRouter<S>,
    describe: fn(&mut Schemas) -> Operation,
}

/// A method that routes take.
#[derive(Clone, Copy)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl<S: Clone + Send + Sync + 'static, G: Copy> Route<S, G> {
    pub(crate) const fn new(
        group: G,
        method: Method,
        path: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<S>,
        describe: fn(&mut Schemas) -> Operation,
    ) -> Route<S, G> {
        Route {
            group,
            method,
            path,
            handler,
            describe,
        }
    }

    /// A router of the routes whose group fits.
    pub(crate) fn router(routes: &[Route<S, G>], fits: impl Fn(G) -> bool) -> Router<S> {
        let routes = routes.iter().filter(|route| fits(route.group));
        routes.fold(Router::new(), |router, route| {
            router.route(route.path, (route.handler)(route.method.filter()))
        })
    }

    /// The checks that the route is under.
    pub(crate) fn group(&self) -> G {
        self.group
    }

    /// The method as the document has it.
    pub(crate) fn method(&self) -> &'static str {
        match self.method {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        }
    }

    /// The path as the document has it. OpenAPI has no form of its own for a parameter that takes the rest of the path.
    pub(crate) fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// The operation that describes the route.
    pub(crate) fn operation(&self, schemas: &mut Schemas) -> Operation {
        (self.describe)(schemas)
    }
}

impl Method {
    fn filter(self) -> MethodFilter {
        match self {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        }
    }
}
