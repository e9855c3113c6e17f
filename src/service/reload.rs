//! Settings taken over while the service runs: when the file is saved, or on SIGHUP.

use crate::api::state::AppState;
use crate::config::settings::Settings;
use crate::config::{self, Config, MissingToken};
use crate::operator::logging;
use crate::pipeline::settings_mailbox::SettingsMailbox;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How long a file must be left alone before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// What there is to wait for.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    hangup: Signal,
    saved: mpsc::Receiver<()>,
    /// Watches as long as it lives; none if the system allows no more watches.
    _watcher: Option<RecommendedWatcher>,
}

/// What came of a reload.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The settings that can be are in force.
    TakenOver,
    /// It says what is in force already.
    Unchanged,
    /// It is wrong: nothing changed.
    Refused(String),
}

impl Watch {
    /// Watches a configuration file. Errors: signals cannot be listened for.
    pub fn new(path: &Path) -> std::io::Result<Watch> {
        let hangup = signal(SignalKind::hangup())?;
        // One is enough: whatever was saved meanwhile is read with it.
        let (save, saved) = mpsc::channel(1);
        let path = std::path::absolute(path)?;
        let file = path.clone();
        let told = move |event: notify::Result<notify::Event>| {
            let is_read = |event: &notify::Event| event.kind.is_access();
            if event.is_ok_and(|event| !is_read(&event) && event.paths.contains(&file)) {
                // Full: it will be read anyway.
                let _ = save.try_send(());
            }
        };
        // The folder, not the file: most editors put a new file in its place.
        let folder = path.parent().unwrap_or(Path::new("/"));
        let watching = notify::recommended_watcher(told).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watching
            .inspect_err(|error| {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "{} cannot be watched ({error}): after a change, send SIGHUP",
                    path.display()
                );
            })
            .ok();
        Ok(Watch {
            path,
            hangup,
            saved,
            _watcher: watcher,
        })
    }

    /// Takes over what the file says, whenever it is saved and on SIGHUP. `effective` and `running` are what it said at the start;
    /// `taken_over` is told what is in force from then on.
    pub async fn follow(
        mut self,
        mut effective: Config,
        running: Settings,
        reload: SettingsMailbox,
        state: AppState,
        taken_over: impl Fn(&Config),
    ) {
        // At once too: it may have been saved since it was read.
        loop {
            let path = self.path.clone();
            let loaded = tokio::task::spawn_blocking(move || {
                config::load_with_settings(Some(&path), MissingToken::Assume)
            })
            .await;
            let outcome = match loaded {
                Ok(Ok((config, settings))) => {
                    self.tell_waiting(&settings.waiting_for_restart(&running), &state);
                    let outcome = take_over(&mut effective, &config, &reload);
                    taken_over(&effective);
                    outcome
                }
                Ok(Err(mistakes)) => Outcome::Refused(mistakes.to_string()),
                Err(error) => Outcome::Refused(error.to_string()),
            };
            self.tell(&outcome);
            state.metrics.reload(match outcome {
                Outcome::TakenOver => "taken_over",
                Outcome::Unchanged => "unchanged",
                Outcome::Refused(_) => "refused",
            });
            *state.refused_settings.write() = match outcome {
                Outcome::Refused(mistakes) => Some(mistakes),
                Outcome::TakenOver | Outcome::Unchanged => None,
            };
            if !self.asked().await {
                break;
            }
        }
    }

    /// Waits until the file is to be read; false if nobody can ask any more.
    async fn asked(&mut self) -> bool {
        tokio::select! {
            hangup = self.hangup.recv() => hangup.is_some(),
            saved = self.saved.recv(), if !self.saved.is_closed() => {
                while saved.is_some()
                    && let Ok(Some(())) = tokio::time::timeout(QUIET, self.saved.recv()).await
                {}
                true
            }
        }
    }

    /// Says which settings need a restart, if they are others than before.
    fn tell_waiting(&self, keys: &[String], state: &AppState) {
        let before = std::mem::replace(&mut *state.restart_needed.write(), keys.to_vec());
        let number = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        state.metrics.config_restart_needed.set(number);
        let (file, names) = (self.path.display(), keys.join(", "));
        if keys.is_empty() && !before.is_empty() {
            tracing::info!(%file, "no setting in {file} needs a restart any more");
        } else if keys != before {
            tracing::warn!(%file, settings = names, "these settings changed in {file} and need a restart: {names}");
        }
    }

    fn tell(&self, outcome: &Outcome) {
        let file = self.path.display();
        match outcome {
            Outcome::TakenOver => {
                tracing::info!(%file, "{file} was read again: [ordering] and logging.level are in force as it says");
            }
            Outcome::Unchanged => tracing::debug!(%file, "{file} was read again: nothing new"),
            Outcome::Refused(mistakes) => tracing::error!(
                %file,
                mistakes,
                "{file} was read again and is wrong, the settings before stay in force: {mistakes}"
            ),
        }
    }
}

/// Puts in force what can be while the service runs: `[ordering]` and the level of the log.
fn take_over(effective: &mut Config, config: &Config, reload: &SettingsMailbox) -> Outcome {
    if effective == config {
        return Outcome::Unchanged;
    }
    let (old, new) = (&effective.pipeline.engine, &config.pipeline.engine);
    let old_place = old.place_source;
    if (&old.windows, old.patience) != (&new.windows, new.patience) {
        reload.put(new.windows.clone(), new.patience);
    }
    if effective.logging.level != config.logging.level {
        logging::set_level(&config.logging.level);
    }
    effective.pipeline.engine.windows = new.windows.clone();
    effective.pipeline.engine.patience = new.patience;
    effective.logging.level.clone_from(&config.logging.level);
    if old_place != new.place_source {
        tracing::warn!(
            "ordering.place changed, which gives every post another id: it is as before until the feeds are made anew with \
             `slackwater serve --rebuild`"
        );
    }
    Outcome::TakenOver
}
