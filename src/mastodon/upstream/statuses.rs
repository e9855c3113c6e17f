//! Statuses of the backend by their ids (`GET /api/v1/statuses`, Mastodon 4.3), each as the reader sees it.

use super::client::{Reader, Upstream};
use super::error::UpstreamError;
use axum::body::Bytes;
use futures_util::future::try_join_all;
use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The most ids of one call: Mastodon answers 422 to more.
pub(in crate::mastodon) const IDS_MAX: usize = 20;

/// Statuses by their ids, each as it was written.
pub(crate) type Statuses = HashMap<String, Bytes>;

impl Upstream {
    /// The statuses of these ids that the reader may see: in calls of [`IDS_MAX`], side by side.
    pub(crate) async fn statuses(
        &self,
        reader: &Reader,
        ids: &[&str],
    ) -> Result<Statuses, UpstreamError> {
        let chunks = ids.chunks(IDS_MAX);
        let asking = async {
            let turn = self.turn(reader, chunks.len()).await?;
            let turn = &turn;
            let reading = chunks.map(|ids| async move {
                let path = path_of(ids);
                let body = turn.read(&path).await;
                let body = body.map_err(|error| self.is_there(&path, error))?;
                parse(&body).map_err(|error| self.answered_wrongly(&path, &error.to_string()))
            });
            try_join_all(reading).await
        };
        let found = self.in_time(asking).await?;
        self.outage.end();
        let mut statuses: Statuses = found.into_iter().flatten().collect();
        // What nobody asked for is of no use, and might be anybody's.
        statuses.retain(|id, _| ids.contains(&id.as_str()));
        Ok(statuses)
    }
}

impl Upstream {
    /// One status, as the backend writes it.
    pub(crate) async fn status(&self, reader: &Reader, id: &str) -> Result<String, UpstreamError> {
        self.one(reader, "/api/v1/statuses", id).await
    }

    /// The lists of a reader, each with its id, as the backend writes them.
    pub(crate) async fn lists(
        &self,
        reader: &Reader,
    ) -> Result<Vec<(String, String)>, UpstreamError> {
        const PATH: &str = "/api/v1/lists";
        let body = self.read(reader, PATH).await;
        let body = body.map_err(|error| self.is_there(PATH, error))?;
        let wrong = |error: &dyn std::error::Error| self.answered_wrongly(PATH, &error.to_string());
        let lists = parse(&body).map_err(|error| wrong(&error))?;
        let text = |(id, list): (String, Bytes)| Ok((id, String::from_utf8(list.into())?));
        let lists: Result<_, std::string::FromUtf8Error> = lists.into_iter().map(text).collect();
        lists.map_err(|error| wrong(&error))
    }

    /// One list, as the backend writes it.
    pub(crate) async fn list(&self, reader: &Reader, id: &str) -> Result<String, UpstreamError> {
        self.one(reader, "/api/v1/lists", id).await
    }

    /// The error of a path that every backend has: one without it is none that can be asked.
    fn is_there(&self, path: &str, error: UpstreamError) -> UpstreamError {
        match error {
            UpstreamError::NotFound => {
                self.answered_wrongly(path, "404, which Mastodon 4.3 or later does not")
            }
            other => other,
        }
    }

    async fn one(&self, reader: &Reader, path: &str, id: &str) -> Result<String, UpstreamError> {
        // Nothing else is an id, and might be another path.
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(UpstreamError::NotFound);
        }
        let body = self.read(reader, &format!("{path}/{id}")).await?;
        let object: Result<&RawValue, _> = serde_json::from_slice(&body);
        let object = object.map_err(|error| self.answered_wrongly(path, &error.to_string()))?;
        Ok(object.get().to_owned())
    }
}

fn path_of(ids: &[&str]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(ids.iter().map(|id| ("id[]", *id)));
    format!("/api/v1/statuses?{}", query.finish())
}

/// The statuses of an answer, with their ids; of each only the id is read.
fn parse(body: &Bytes) -> Result<Vec<(String, Bytes)>, serde_json::Error> {
    let statuses: Vec<&RawValue> = serde_json::from_slice(body)?;
    let with_id = |status: &RawValue| {
        let id = id_of(status.get())?;
        Ok((id, body.slice_ref(status.get().as_bytes())))
    };
    statuses.into_iter().map(with_id).collect()
}

/// The id of a status as JSON.
pub(in crate::mastodon) fn id_of(status: &str) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct WithId<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let WithId { id } = serde_json::from_str(status)?;
    Ok(id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_keep_their_bytes() {
        let body = Bytes::from_static(
            b" [ {\"content\":\"\\u00e9\", \"id\":\"7\"},{\"id\":\"5\",\"n\":1.0}\n]",
        );
        let found = parse(&body).unwrap();
        let text = |nth: usize| std::str::from_utf8(&found[nth].1).unwrap();
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("7", "5"));
        assert_eq!(text(0), "{\"content\":\"\\u00e9\", \"id\":\"7\"}");
        assert_eq!(text(1), "{\"id\":\"5\",\"n\":1.0}");
        for wrong in ["{}", "[1]", "[{\"id\":7}]", "<html>", "[{\"id\":\"7\"}"] {
            assert!(parse(&Bytes::from(wrong.to_owned())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_written_as_rails_reads_a_list() {
        assert_eq!(
            path_of(&["1", "2&x"]),
            "/api/v1/statuses?id%5B%5D=1&id%5B%5D=2%26x"
        );
    }
}
