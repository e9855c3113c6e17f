//! The operator's page: its files, built into the binary and served as they are. What the page shows, its scripts ask the API
//! for, as any other client does, with a token that the operator gives them. So its files are for anybody.
//!
//! A file is added to `FILES`; the page needs no build step, and asks nobody but this service for anything.

use crate::api::openapi::operation::{Audience, Operation, Schemas, path};
use crate::api::openapi::route::{Method, Route};
use crate::api::problem::Problem;
use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// What a browser lets the page do: run its own scripts, and ask this service. `connect-src 'self'` covers the websocket too.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct File {
    /// What its path ends with.
    name: &'static str,
    media: &'static str,
    text: &'static str,
}

const PAGE: File = File {
    name: "index.html",
    media: HTML,
    text: include_str!("page/index.html"),
};

/// What the page is made of, beside [`PAGE`].
const FILES: &[File] = &[
    File {
        name: "icon.svg",
        media: SVG,
        text: include_str!("page/icon.svg"),
    },
    File {
        name: "desk.css",
        media: CSS,
        text: include_str!("page/desk.css"),
    },
    script("accounts.js", include_str!("page/accounts.js")),
    script("app.js", include_str!("page/app.js")),
    script("columns.js", include_str!("page/columns.js")),
    script("curve.js", include_str!("page/curve.js")),
    script("dead_letters.js", include_str!("page/dead_letters.js")),
    script("dom.js", include_str!("page/dom.js")),
    script("feeds.js", include_str!("page/feeds.js")),
    script("metrics.js", include_str!("page/metrics.js")),
    script("nodes.js", include_str!("page/nodes.js")),
    script("origin.js", include_str!("page/origin.js")),
    script("origins.js", include_str!("page/origins.js")),
    script("overview.js", include_str!("page/overview.js")),
    script("patience.js", include_str!("page/patience.js")),
    script("posts.js", include_str!("page/posts.js")),
    script("service.js", include_str!("page/service.js")),
    script("stream.js", include_str!("page/stream.js")),
    script("tour.js", include_str!("page/tour.js")),
    script("why.js", include_str!("page/why.js")),
    script("words.js", include_str!("page/words.js")),
];

const fn script(name: &'static str, text: &'static str) -> File {
    File {
        name,
        media: SCRIPT,
        text,
    }
}

/// The routes of the page.
pub(crate) const ROUTES: [Route<(), ()>; 2] = [
    Route::new(
        (),
        Method::Get,
        "/",
        |on_method| on(on_method, page),
        describe_page,
    ),
    Route::new(
        (),
        Method::Get,
        "/desk/{file}",
        |on_method| on(on_method, file),
        describe_file,
    ),
];

/// The routes of the page, which need no state.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Route::router(&ROUTES, |()| true).with_state(())
}

/// The operation of a route of the page, with the errors that all routes have.
pub(crate) fn described(route: &Route<(), ()>, schemas: &mut Schemas) -> Value {
    route
        .operation(schemas)
        .problem(schemas, "500", "The service failed here; its log says why.")
        .problem(
            schemas,
            "503",
            "Too much at once, or too slow: come back after `Retry-After`.",
        )
        .into_json(Audience::Anyone)
}

async fn page(headers: HeaderMap) -> Response {
    PAGE.response(&headers)
}

async fn file(
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::not_found("the operator's page has no such file"))?;
    Ok(file.response(&headers))
}

impl File {
    /// The file, or 304 if the browser has it as it is. It is asked for each time, so that a page is of one version.
    fn response(&self, request: &HeaderMap) -> Response {
        let tag = format!("\"{:016x}\"", xxh3_64(self.text.as_bytes()));
        let common = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        let is_had = is_among(request, &tag);
        let tag = [(header::ETAG, tag)];
        if is_had {
            return (StatusCode::NOT_MODIFIED, common, tag).into_response();
        }
        let media = [(header::CONTENT_TYPE, self.media)];
        (common, tag, media, self.text).into_response()
    }
}

/// Whether `If-None-Match` has this tag (RFC 9110, 13.1.2: weak or strong, any of a list, or `*`).
fn is_among(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut given = texts.flat_map(|text| text.split(',')).map(str::trim);
    given.any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

fn describe_page(_: &mut Schemas) -> Operation {
    let html = json!({"text/html": {"schema": {"type": "string"}}});
    Operation::new("getPage", "The operator's page").content(
        "200",
        "A page for browsers. It asks for a service token where one is needed.",
        &html,
    )
}

fn describe_file(schemas: &mut Schemas) -> Operation {
    let text = json!({"schema": {"type": "string"}});
    let media = json!({"text/css": text, "text/javascript": text, "image/svg+xml": text});
    let name = json!({"type": "string", "description": "As the page names it, such as `app.js`."});
    Operation::new("getPageFile", "A file of the operator's page")
        .parameter(path("file", &name))
        .content("200", "The file.", &media)
        .problem(schemas, "400", "What is not UTF-8.")
        .problem(schemas, "404", "The page has no such file.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A failure means that the page asks for a file that the binary does not have.
    #[test]
    fn every_file_of_the_page_is_served_and_every_file_that_is_named_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desk/page");
        let names = std::fs::read_dir(folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = names.filter(|name| name != PAGE.name).collect();
        let served: BTreeSet<String> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert_eq!(there, served);
        for file in FILES.iter().chain([&PAGE]) {
            for (quoted, _) in file.text.match_indices("from \"./") {
                let name = file.text[quoted + 8..].split('"').next().unwrap();
                assert!(served.contains(name), "{} names {name}", file.name);
            }
            for (quoted, _) in file.text.match_indices("\"/desk/") {
                let name = file.text[quoted + 7..].split('"').next().unwrap();
                assert!(served.contains(name), "{} names {name}", file.name);
            }
        }
    }

    #[test]
    fn a_browser_that_has_a_file_is_sent_none() {
        let ask = |tags: &[&str]| {
            let mut headers = HeaderMap::new();
            for tag in tags {
                headers.append(header::IF_NONE_MATCH, tag.parse().unwrap());
            }
            PAGE.response(&headers)
        };
        let first = ask(&[]);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap();
        let weak = format!("\"x\", W/{tag}");
        for had in [&[tag][..], &[&weak], &["\"x\"", tag], &["*"]] {
            let again = ask(had);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{had:?}");
            assert_eq!(again.headers()[header::ETAG], tag);
        }
        assert_eq!(ask(&["\"x\""]).status(), StatusCode::OK);
    }
}
