//! `slackwater serve`.

use super::terminal::tell;
use slackwater::config::{self, MissingToken};
use slackwater::operator::{logging, traces};
use slackwater::service;
use slackwater::service::collector;
use slackwater::service::reload::Watch;
use slackwater::service::signals::{self, AtOnce, Signals};
use slackwater::service::summary;
use slackwater_engine::feed::store::disk;
use std::error::Error;
use std::path::Path;

/// Runs the service until a signal ends it.
pub(crate) fn serve(
    file: Option<&Path>,
    rebuild: bool,
    at_once: &AtOnce,
) -> Result<(), Box<dyn Error>> {
    let here = Path::new("slackwater.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    let (config, settings) = config::load_with_settings(file, MissingToken::Make(&show_token))?;
    let collector = traces::are_asked_for().then(collector::sender).transpose();
    let (collector, trouble) = match collector {
        Ok(collector) => (collector, None),
        Err(trouble) => (None, Some(trouble)),
    };
    logging::start_with_traces(&config.logging, collector);
    if let Some(trouble) = trouble {
        tracing::error!(
            error = &trouble as &dyn Error,
            "no traces are sent: {trouble}"
        );
    }
    summary::log(&config, file);
    raise_open_files();
    disk::end_on_panic(config.store.path.clone());
    if rebuild && let Some(aside) = disk::put_aside(&config.store.path)? {
        let aside = aside.display();
        tracing::warn!(
            "the feeds are made anew from the log; the folder they were in is {aside} now, to be deleted when all is well"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        at_once.give_up();
        let starting = async {
            Ok::<_, Box<dyn Error>>(match file {
                Some(file) => service::start_with(config, settings, Watch::new(file)?).await?,
                None => service::start(config).await?,
            })
        };
        let mut service = tokio::select! {
            service = starting => service?,
            signal = signals.any() => {
                tracing::info!(signal, "{signal}: ended before the log was open");
                signals::exit()
            }
        };
        tokio::select! {
            () = service.ended() => {}
            signal = signals.any() => tracing::info!(signal, "{signal}: finishing what is in hand"),
        }
        // Whoever asks twice does not want to wait; what the last checkpoint lacks is read from the log again.
        tokio::select! {
            stopped = service.stop() => stopped?,
            signal = signals.any() => {
                tracing::warn!(signal, "{signal} again: ended without a checkpoint");
                signals::exit_at_once()
            }
        }
        tracing::info!("stopped");
        Ok(())
    });
    // What still waits for a broker that is away does not keep us.
    runtime.shutdown_background();
    traces::finish();
    served
}

/// Shows the token that was made for backends, the only time: whoever has missed it finds it in its file.
fn show_token(path: &Path, token: &str) {
    let path = path.display();
    tell(&format!(
        "slackwater: made a token for backends, kept in {path} and shown only now:\n{token}"
    ));
}

/// Each reader is an open file, and most systems allow a process few of them until it asks for more.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "only {current:?} files may be open: {error}");
        }
    }
}
