//! A request that can be sent to another node if the first one does not take it, or answered once more.

use crate::api::end_to_end::end_to_end;
use crate::api::problem::Problem;
use crate::api::request_body;
use crate::api::websocket_upgrade;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body up to this size, in bytes, is read before it is sent, and can be sent again. A longer one is passed on as it comes, and can be
/// sent to another node only while no part of it was taken.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// A request as it came, whose body may be sent again.
#[derive(Debug)]
pub(super) struct Resend {
    pub(super) head: Parts,
    body: Kept,
}

#[derive(Debug)]
enum Kept {
    Whole(Bytes),
    Coming(Arc<Mutex<Coming>>),
}

/// A body that is passed on as it comes.
#[derive(Debug)]
pub(super) struct Coming {
    body: Body,
    /// Whether a part of it was asked for.
    is_begun: bool,
}

impl Resend {
    /// Reads the body of a request if it is small. Errors: it did not come whole.
    pub(super) async fn of(request: Request) -> Result<Resend, Problem> {
        let (head, body) = request.into_parts();
        let upper = body.size_hint().upper();
        let is_small = upper.is_some_and(|bytes| bytes <= KEPT_BYTES_MAX as u64);
        let body = match is_small {
            true if body.is_end_stream() => Kept::Whole(Bytes::new()),
            true => Kept::Whole(request_body::small(Request::new(body), KEPT_BYTES_MAX).await?),
            false => Kept::Coming(Arc::new(Mutex::new(Coming {
                body,
                is_begun: false,
            }))),
        };
        Ok(Resend { head, body })
    }

    /// Whether it can still be sent whole.
    pub(super) fn is_whole(&self) -> bool {
        match &self.body {
            Kept::Whole(_) => true,
            Kept::Coming(coming) => !coming.lock().is_begun,
        }
    }

    /// The request for the other end, without the headers that are for this hop.
    pub(super) fn outgoing(&self) -> axum::http::Request<ResendBody> {
        let body = match &self.body {
            Kept::Whole(bytes) => ResendBody::Whole(Some(bytes.clone())),
            Kept::Coming(coming) => ResendBody::Coming(Arc::clone(coming)),
        };
        let mut outgoing = axum::http::Request::new(body);
        *outgoing.method_mut() = self.head.method.clone();
        *outgoing.uri_mut() = self.head.uri.clone();
        *outgoing.headers_mut() = end_to_end(&self.head.headers);
        if websocket_upgrade::is_asked_for(&self.head.method, &self.head.headers) {
            let headers = outgoing.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Kept::Whole(bytes) = &self.body {
            // Beside chunks there may have been a length that does not count (RFC 9112, section 6.3).
            match bytes.len() {
                0 => outgoing.headers_mut().remove(header::CONTENT_LENGTH),
                length => outgoing
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length)),
            };
        }
        outgoing
    }

    /// The request as it came, to be answered here; none if a part of its body was sent elsewhere.
    pub(super) fn into_request(self) -> Option<Request> {
        let body = match self.body {
            Kept::Whole(bytes) => Body::from(bytes),
            Kept::Coming(coming) => {
                let mut coming = coming.lock();
                match coming.is_begun {
                    true => return None,
                    false => std::mem::take(&mut coming.body),
                }
            }
        };
        Some(Request::from_parts(self.head, body))
    }
}

/// A copy of a request that only reads, to be answered once more; none if it may change something, has a body, or takes its connection over.
pub(super) fn copy_of_read(request: &Request) -> Option<Request> {
    let (method, headers) = (request.method(), request.headers());
    let is_read = method.is_safe()
        && request.body().is_end_stream()
        && !websocket_upgrade::is_asked_for(method, headers);
    is_read.then(|| {
        let mut copy = Request::new(Body::empty());
        *copy.method_mut() = method.clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = headers.clone();
        *copy.extensions_mut() = request.extensions().clone();
        copy
    })
}

/// The body of one try.
#[derive(Debug)]
pub(super) enum ResendBody {
    Whole(Option<Bytes>),
    Coming(Arc<Mutex<Coming>>),
}

impl HttpBody for ResendBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            ResendBody::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            ResendBody::Coming(coming) => {
                let mut coming = coming.lock();
                coming.is_begun = true;
                Pin::new(&mut coming.body).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResendBody::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            ResendBody::Coming(coming) => coming.lock().body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResendBody::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            ResendBody::Coming(coming) => coming.lock().body.size_hint(),
        }
    }
}
