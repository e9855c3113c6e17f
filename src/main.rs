//! The command line. Errors are printed here, once, with their causes.

use clap::{Parser, Subcommand};
use slackwater::config::{self, Config, Logging};
use slackwater::demo;
use slackwater::operator::logging;
use slackwater::service;
use slackwater::service::reload::Watch;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A checkpoint allocates and frees millions of small pieces, which the system's allocator keeps apart badly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts federated posts back in the order they were written.
#[derive(Debug, Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service. Without a file: the built-in log in ./data, no Kafka needed.
    Serve {
        /// The configuration; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Look at it: a made-up fediverse, time compressed, in a temporary folder. Ctrl-C ends it.
    Demo {
        /// Where to listen; only loopback. 127.0.0.1:8787, or a free port if that is taken.
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// End by itself after so many seconds.
        #[arg(long)]
        seconds: Option<u64>,
        /// Which made-up fediverse: the same number, the same posts.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Say whether a configuration is good, and everything that is not.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Serve { config } => serve(config.as_deref()),
        Command::Demo {
            listen,
            seconds,
            seed,
        } => show(demo::Options {
            listen,
            ends_after: seconds.map(Duration::from_secs),
            seed,
        }),
        Command::Check { file } => check(&file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_chain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn serve(file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let here = Path::new("slackwater.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    let config = match file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    logging::start(&config.logging);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before it says that it listens: whoever reads that may send a signal at once.
        let signals = Signals::listen()?;
        let mut service = match file {
            Some(file) => service::start_with(config, Watch::new(file)?).await?,
            None => service::start(config).await?,
        };
        tokio::select! {
            () = service.ended() => {}
            signal = signals.any() => tracing::info!(signal, "{signal}: finishing what is in hand"),
        }
        service.stop().await?;
        tracing::info!("stopped");
        Ok(())
    })
}

fn show(options: demo::Options) -> Result<(), Box<dyn Error>> {
    // Anything less than a warning would disturb the picture.
    logging::start(&Logging {
        level: "warn".to_owned(),
        ..Logging::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(demo::run(options))?)
}

#[allow(clippy::print_stdout)]
fn check(file: &Path) -> Result<(), Box<dyn Error>> {
    config::load(file)?;
    println!("{} is good", file.display());
    Ok(())
}

/// The signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them; its name.
    async fn any(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[allow(clippy::print_stderr)]
fn print_chain(error: &dyn Error) {
    eprintln!("slackwater: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
