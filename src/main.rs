//! The command line. Errors are printed here, once, with their causes.

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use slackwater::api::auth::jwt::{self, Algorithm};
use slackwater::api::auth::secret::Secret;
use slackwater::clock;
use slackwater::config::{self, Config, memory};
use slackwater::demo;
use slackwater::operator::tune::trace_file::{Trace, TraceFileError};
use slackwater::operator::tune::{self, Candidate, plot, table};
use slackwater::operator::{logging, trace_export};
use slackwater::service;
use slackwater::service::reload::Watch;
use slackwater::service::signals::{self, AtOnce, Signals, Status};
use slackwater_engine::feed::store::disk;
use slackwater_order::window::ReorderWindow;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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
        /// Put the feeds' folder aside first, and make it anew from the log. For a folder that is damaged.
        #[arg(long)]
        rebuild: bool,
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
    /// Write the delays seen to standard output, a line of JSON for each post in the log. A running service is not
    /// disturbed.
    Trace {
        /// The configuration that says where the log is; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// What would these windows have done? Replays a trace, and recommends windows.
    Tune {
        /// What `trace` wrote; - is standard input.
        trace: PathBuf,
        /// A configuration to try; may be given several times. Without any: slackwater.toml here if there is one, or the
        /// defaults, and the same with learned windows.
        #[arg(long)]
        config: Vec<PathBuf>,
        /// The share of each origin's posts that the recommended windows are to find in time, above 0 and below 1.
        #[arg(long, default_value_t = 0.99, value_parser = share)]
        target: f64,
        /// Write JSON instead of tables (schemas/tune.schema.json).
        #[arg(long)]
        json: bool,
        /// Draw order against wait into this file, as SVG.
        #[arg(long, value_name = "FILE.svg")]
        plot: Option<PathBuf>,
    },
    /// Make a user token, to try things out with. Needs [auth.jwt].
    Token {
        /// The account that may read its feeds with it.
        account: String,
        /// The configuration; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
        /// What it is for: words with spaces between.
        #[arg(long, default_value = "read")]
        scope: String,
        /// How long it holds.
        #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
        lives: Duration,
        /// For RS256 and EdDSA: the private key, PEM.
        #[arg(long, value_name = "FILE.pem")]
        key: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_chain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    let at_once = AtOnce::listen(match command {
        Command::Serve { .. } | Command::Demo { .. } => Status::Success,
        _ => Status::Signal,
    })?;
    match command {
        Command::Serve { config, rebuild } => serve(config.as_deref(), rebuild, &at_once),
        Command::Demo {
            listen,
            seconds,
            seed,
        } => {
            let options = demo::Options {
                listen,
                ends_after: seconds.map(Duration::from_secs),
                seed,
            };
            show(options, &at_once)
        }
        Command::Check { file } => check(&file),
        Command::Trace { config } => trace(config.as_deref()),
        Command::Tune {
            trace,
            config,
            target,
            json,
            plot,
        } => tune(&trace, &config, target, json, plot.as_deref()),
        Command::Token {
            account,
            config,
            scope,
            lives,
            key,
        } => token(&account, config.as_deref(), &scope, lives, key.as_deref()),
    }
}

fn serve(file: Option<&Path>, rebuild: bool, at_once: &AtOnce) -> Result<(), Box<dyn Error>> {
    let here = Path::new("slackwater.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    let config = match file {
        Some(file) => config::load(file)?,
        None => Config::defaults(memory::usable_bytes()),
    };
    logging::start(&config.logging);
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
                Some(file) => service::start_with(config, Watch::new(file)?).await?,
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
    served
}

fn show(options: demo::Options, at_once: &AtOnce) -> Result<(), Box<dyn Error>> {
    // Anything less than a warning would disturb the picture.
    logging::start(&logging::Options {
        level: "warn".to_owned(),
        ..logging::Options::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(demo::run(options, || at_once.give_up()))?)
}

fn check(file: &Path) -> Result<(), Box<dyn Error>> {
    config::load(file)?;
    print(&format!("{} is good", file.display()))
}

fn token(
    account: &str,
    file: Option<&Path>,
    scope: &str,
    lives: Duration,
    key: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let (name, config) = config_or_default(file)?;
    let Some(options) = config.auth.jwt else {
        return Err(format!("{name} has no [auth.jwt]: tokens are signed as it says").into());
    };
    let key = match (key, options.algorithm) {
        (None, Algorithm::Hs256) => options.key.clone(),
        (None, algorithm) => {
            let algorithm = algorithm.name();
            return Err(format!("{algorithm} needs the private key: send --key FILE.pem").into());
        }
        (Some(file), _) => {
            let text = std::fs::read_to_string(file);
            Secret::new(&text.map_err(|e| format!("reading {}: {e}", file.display()))?)
        }
    };
    let minted = jwt::mint(&options, &key, account, scope, clock::now(), lives)
        .map_err(|e| format!("this is no key for {}: {e}", options.algorithm.name()))?;
    print(&minted)
}

fn trace(file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (_, config) = config_or_default(file)?;
    // What is told of reading is told by the bar; standard output is the trace.
    logging::start(&logging::Options {
        level: "warn".to_owned(),
        ..config.logging
    });
    let bar = bar("reading the log");
    let mut out = BufWriter::new(std::io::stdout().lock());
    let traced = trace_export::write(&config.log, &mut out, &mut |read, all| {
        show_progress(&bar, read, all);
    });
    bar.finish_and_clear();
    let traced = match traced {
        // Whoever reads has enough: `slackwater trace | head`.
        Err(trace_export::ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Ok(());
        }
        traced => traced?,
    };
    tell(&format!(
        "{} posts in {} records, {} of which could not be used",
        traced.posts, traced.records, traced.unusable
    ));
    Ok(())
}

fn tune(
    file: &Path,
    configs: &[PathBuf],
    target: f64,
    as_json: bool,
    plot: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let candidates = candidates(configs)?;
    let reading = bar("reading the trace");
    let trace = if file == Path::new("-") {
        Trace::read(std::io::stdin().lock(), &mut |read| {
            show_progress(&reading, read, 0);
        })?
    } else {
        let opened = File::open(file).map_err(|e| format!("opening {}: {e}", file.display()))?;
        let all = opened.metadata()?.len();
        let lines = BufReader::with_capacity(1 << 20, opened);
        let read = Trace::read(lines, &mut |read| show_progress(&reading, read, all));
        let file = file.display();
        read.map_err(|error| match error {
            TraceFileError::Read(error) => format!("reading {file}: {error}"),
            error => format!("{error} (in {file})"),
        })?
    };
    reading.finish_and_clear();
    let replaying = bar("replaying");
    let report = tune::tune(&trace, &candidates, target, &mut |done, all| {
        show_progress(&replaying, done, all);
    });
    replaying.finish_and_clear();
    if let Some(plot) = plot {
        std::fs::write(plot, plot::svg(&report))
            .map_err(|e| format!("writing {}: {e}", plot.display()))?;
    }
    let text = match as_json {
        true => serde_json::to_string_pretty(&report)?,
        false => table::text(&report).trim_end().to_owned(),
    };
    print(&text)?;
    if as_json && 0 < report.trace.malformed.lines {
        tell(&format!(
            "{} lines could not be read",
            report.trace.malformed.lines
        ));
    }
    Ok(())
}

/// What to try: the files given; or what would be served here, and the same with learned windows.
fn candidates(configs: &[PathBuf]) -> Result<Vec<Candidate>, Box<dyn Error>> {
    let mut candidates = Vec::new();
    for file in configs {
        let name = file.display().to_string();
        let windows = config::load(file)?.pipeline.engine.windows;
        candidates.push(Candidate { name, windows });
    }
    if candidates.is_empty() {
        let (name, config) = config_or_default(None)?;
        let windows = config.pipeline.engine.windows;
        let mut auto = windows.clone();
        auto.default.reorder_window = ReorderWindow::Auto;
        let may_be_learned = auto != windows && !auto.default.decides_places();
        candidates.push(Candidate {
            name: name.clone(),
            windows,
        });
        if may_be_learned {
            candidates.push(Candidate {
                name: format!("{name}, reorder_window = \"auto\""),
                windows: auto,
            });
        }
    }
    Ok(candidates)
}

/// The configuration of this file, or of slackwater.toml here, or the default; and what it is called.
fn config_or_default(file: Option<&Path>) -> Result<(String, Config), Box<dyn Error>> {
    let here = Path::new("slackwater.toml");
    let file = file.or_else(|| here.exists().then_some(here));
    match file {
        Some(file) => Ok((file.display().to_string(), config::load(file)?)),
        None => Ok((
            "defaults".to_owned(),
            Config::defaults(memory::usable_bytes()),
        )),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if 0.0 < share && share < 1.0 => Ok(share),
        _ => Err("send a number above 0 and below 1, such as 0.99".to_owned()),
    }
}

/// A bar on standard error; nothing where that is no terminal.
fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {percent} %  {eta} to go") {
        bar.set_style(style);
    }
    bar
}

fn show_progress(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all.max(done));
    bar.set_position(done);
}

/// Writes a line to standard output. Whoever reads it may have enough and be gone: `slackwater tune trace | head`.
fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("writing to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error; if nobody listens there, nobody is told.
fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
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

fn print_chain(error: &dyn Error) {
    tell(&format!("slackwater: {error}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        tell(&format!("  because: {error}"));
        cause = error.source();
    }
}
