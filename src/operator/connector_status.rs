//! What the connector to Mastodon's database says of itself, for `/readyz` and metrics.

use tokio::sync::watch;

/// How the connector is. Written by it, read by requests.
#[derive(Debug, Default)]
pub struct ConnectorStatus(watch::Sender<Stage>);

/// What it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// No database is configured.
    #[default]
    Off,
    /// It has not been connected yet, or not again: this is why, if that is known.
    Away(Option<String>),
    /// It imports what was there before, and has come this far.
    Importing(String),
    /// It follows what changes.
    Following,
}

impl ConnectorStatus {
    /// Says what it is doing now.
    pub fn set(&self, stage: Stage) {
        self.0.send_if_modified(|before| {
            let is_new = *before != stage;
            *before = stage;
            is_new
        });
    }

    /// What it is doing.
    pub fn stage(&self) -> Stage {
        self.0.borrow().clone()
    }

    /// Waits until it follows what changes.
    pub async fn following(&self) {
        let mut stages = self.0.subscribe();
        // The sender is this one, and does not go.
        let _ = stages.wait_for(|stage| *stage == Stage::Following).await;
    }

    /// Why feeds lack what Mastodon's database has, for a person, if they do: a first import is not done. That the database is
    /// away makes feeds older, and not wrong.
    pub fn lacking(&self) -> Option<String> {
        match &*self.0.borrow() {
            Stage::Importing(how_far) => {
                Some(format!("importing from Mastodon's database: {how_far}"))
            }
            Stage::Off | Stage::Away(_) | Stage::Following => None,
        }
    }

    /// Why nothing new comes from Mastodon's database, for a person, if that is so.
    pub fn away(&self) -> Option<String> {
        match &*self.0.borrow() {
            Stage::Away(Some(why)) => Some(format!("Mastodon's database is not followed: {why}")),
            Stage::Away(None) => Some("Mastodon's database is not followed yet".to_owned()),
            Stage::Off | Stage::Importing(_) | Stage::Following => None,
        }
    }
}
