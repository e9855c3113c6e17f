//! A request for an account at the node that a client reached: answered here under a lease, passed on to the node that answers for the
//! account, or refused.

use super::answer::Answered;
use super::hop::{HOP, HopKey, VERSION};
use super::node_client::{NodeClient, Sent};
use super::resend::{Resend, copy_of_read};
use crate::api::app::App;
use crate::api::auth::token::Token;
use crate::api::boxed::boxed;
use crate::api::caller::{self, CallerContext};
use crate::api::lease::{nobody, whole_under_leases};
use crate::api::placement::{Permit, Placement, Route, Server};
use crate::api::problem::Problem;
use crate::clock;
use crate::operator::line_rate::{LineRate, left_out};
use crate::operator::metrics::Metrics;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How often it is said at most that a node refuses what is passed on.
const WARNED_EVERY: Duration = Duration::from_secs(60);

/// How often the nodes of an account are looked for, for one request: it may move again while it is passed on.
const ROUNDS_MAX: usize = 3;

/// The way of requests to other nodes.
#[derive(Debug)]
pub(crate) struct Edge {
    placement: Arc<dyn Placement>,
    key: HopKey,
    client: NodeClient,
    metrics: Arc<Metrics>,
    lines: LineRate,
}

/// What becomes of a request for an account.
enum Placed {
    /// It is answered here, for as long as the permit is good.
    Here(Request, Permit),
    /// It was answered elsewhere.
    Answered(Response),
}

/// The answer to another node that took this one for the account's.
#[derive(Serialize)]
struct Misdirected<'a> {
    #[serde(flatten)]
    problem: Problem,
    /// The names of the nodes that answer for the account, as far as is known here.
    serves: Vec<&'a str>,
}

impl Edge {
    /// The way to the nodes of a cluster.
    pub(crate) fn new(placement: Arc<dyn Placement>, metrics: Arc<Metrics>) -> Edge {
        Edge {
            key: HopKey::new(placement.secret()),
            placement,
            client: NodeClient::new(),
            metrics,
            lines: LineRate::new(1, WARNED_EVERY),
        }
    }

    /// The caller of a request that another node passed on; none if it comes from a client. 403 if it says to come from a node and does
    /// not, with a header by which a node knows that this is meant.
    pub(crate) fn caller(
        &self,
        request: &Request,
        token: Option<Token>,
    ) -> Result<Option<CallerContext>, Problem> {
        let line = (request.method(), request.uri());
        let found = self.key.check(line, request.headers(), token, clock::now());
        found.map_err(|why| Problem {
            header: Some(Box::new((HOP, HeaderValue::from(VERSION)))),
            ..Problem::new(StatusCode::FORBIDDEN, why.to_string())
        })
    }

    /// Finds the node that answers a request for an account.
    async fn place(
        &self,
        app: &App,
        account: &str,
        context: &CallerContext,
        request: Request,
    ) -> Result<Placed, Problem> {
        let route = self.placement.route(account);
        // A node that stands by answers whoever could not reach the account's node, even if it can itself.
        if (context.is_hop || route == Route::Here)
            && let Some(permit) = self.placement.permit(Some(account))
        {
            return Ok(Placed::Here(request, permit));
        }
        match route {
            Route::There(servers) if context.is_hop => Ok(self.misdirected(&servers)),
            Route::Here | Route::Nowhere if context.is_hop => Ok(self.misdirected(&[])),
            _ => self.pass_on(app, account, context, request).await,
        }
    }

    fn misdirected(&self, servers: &[Server]) -> Placed {
        self.metrics.forwarding.misrouted.inc();
        let status = StatusCode::MISDIRECTED_REQUEST;
        let body = Misdirected {
            problem: Problem::new(status, "another node answers for this account"),
            serves: servers.iter().map(|server| &*server.node).collect(),
        };
        Placed::Answered((status, Json(body)).into_response())
    }

    async fn pass_on(
        &self,
        app: &App,
        account: &str,
        context: &CallerContext,
        request: Request,
    ) -> Result<Placed, Problem> {
        let resend = Resend::of(request).await?;
        let mut tried: Vec<Server> = Vec::new();
        for round in 0..ROUNDS_MAX {
            if round != 0 {
                self.placement.claim(account, &tried).await;
            }
            let servers = match self.placement.route(account) {
                Route::There(servers) => servers,
                Route::Here | Route::Nowhere => Vec::new(),
            };
            for server in &servers {
                let Some(answer) = self.tried(server, context, &resend).await? else {
                    continue;
                };
                let answered = Answered {
                    answer,
                    server: server.clone(),
                    head: resend.head,
                };
                let response = answered.passed_back(app, &self.placement, context)?;
                return Ok(Placed::Answered(response));
            }
            // Nobody else does: this node serves the account by now, or stands by for it.
            if let Some(permit) = self.placement.permit(Some(account)) {
                let request = resend.into_request().ok_or_else(nobody)?;
                return Ok(Placed::Here(request, permit));
            }
            let is_new = |server: &Server| !tried.contains(server);
            if round != 0 && !servers.iter().any(is_new) {
                break;
            }
            tried.extend(servers);
        }
        self.metrics.forwarding.forwarded("nobody");
        Err(nobody())
    }

    /// The answer of a node; none if another is to be tried. An error if none may be.
    async fn tried(
        &self,
        server: &Server,
        context: &CallerContext,
        resend: &Resend,
    ) -> Result<Option<Response<Incoming>>, Problem> {
        let counted = |outcome| self.metrics.forwarding.forwarded(outcome);
        // A connection that has rested may be closed just now: of that node nothing is known yet.
        for _ in 0..2 {
            match self.sent(server, context, resend).await? {
                Sent::Answer(answer) => {
                    counted("answered");
                    return Ok(Some(answer));
                }
                Sent::Elsewhere => {
                    counted("moved");
                    break;
                }
                Sent::Away => {
                    counted("away");
                    self.placement.mark_away(&server.node);
                    break;
                }
                Sent::Refused => {
                    counted("refused");
                    self.warn_of_refusal(server);
                    self.placement.mark_away(&server.node);
                    break;
                }
                Sent::Lost => counted("lost"),
            }
            if !resend.head.method.is_idempotent() || !resend.is_whole() {
                return Err(nobody());
            }
        }
        match resend.is_whole() {
            true => Ok(None),
            false => Err(nobody()),
        }
    }

    fn warn_of_refusal(&self, server: &Server) {
        let node = &*server.node;
        if let Some(more) = self.lines.due("refused", 1, clock::stopwatch()) {
            let more = left_out(more);
            tracing::warn!(
                node,
                "node {node} does not believe requests that this one passes on: compare cluster.secret, the clocks and the versions of \
                 both{more}"
            );
        }
    }

    /// Sends a request to a node, and waits for its answer for as long as the node is there: one that has stopped amid the request has its
    /// connections open.
    async fn sent(
        &self,
        server: &Server,
        context: &CallerContext,
        resend: &Resend,
    ) -> Result<Sent, Problem> {
        let mut outgoing = resend.outgoing();
        let head = &resend.head;
        let signed = self.key.sign(
            (&head.method, &head.uri),
            outgoing.headers_mut(),
            context,
            clock::now(),
        );
        signed.map_err(|e| Problem::internal(&e))?;
        tokio::select! {
            sent = self.client.send(server, outgoing) => Ok(sent),
            () = self.placement.gone(&server.node) => Ok(Sent::Lost),
        }
    }
}

impl App {
    /// Has a request of a known caller answered: by the node of the account that it is for, or here if it is for none. `render` gives
    /// problems the form that the client understands.
    pub(crate) async fn answered_for(
        &self,
        account: Option<&str>,
        context: CallerContext,
        request: Request,
        next: Next,
        render: fn(Problem) -> Response,
    ) -> Response {
        let Some(edge) = &self.edge else {
            return match self.count_account(&context) {
                Ok(()) => self.answered_here(context, request, next, render).await,
                Err(problem) => render(problem),
            };
        };
        // An account may move to another node amid a request: what only reads is answered anew, by whichever node that is now.
        let (mut request, mut has_lapsed) = (request, false);
        loop {
            let (placed, permit) = match account {
                None => (request, None),
                Some(account) => match boxed(edge.place(self, account, &context, request)).await {
                    Ok(Placed::Here(request, permit)) => (request, Some(permit)),
                    Ok(Placed::Answered(answer)) => return caller::named(answer, &context.key()),
                    Err(problem) => return render(problem),
                },
            };
            let again = match has_lapsed {
                true => None,
                false => copy_of_read(&placed),
            };
            if !has_lapsed && let Err(problem) = self.count_account(&context) {
                return render(problem);
            }
            let answering = self.answered_here(context.clone(), placed, next.clone(), render);
            match (whole_under_leases(permit, answering).await, again) {
                (Ok(response), _) => return response,
                (Err(_), Some(again)) => request = again,
                (Err(problem), None) => return render(problem),
            }
            has_lapsed = true;
        }
    }

    async fn answered_here(
        &self,
        context: CallerContext,
        mut request: Request,
        next: Next,
        render: fn(Problem) -> Response,
    ) -> Response {
        let key = context.key();
        request.extensions_mut().insert(context);
        let answer = caller::named(next.run(request).await, &key);
        self.count_large(key, answer, render).await
    }
}
