//! The command line. Errors are printed here, once, with their causes.

mod command;

use clap::{Parser, Subcommand};
use command::check::check;
use command::dead_letters::{DeadLettersCommand, dead_letters};
use command::demo::show;
use command::doctor::doctor;
use command::mastodon::{Mastodon, mastodon};
use command::serve::serve;
use command::terminal::print_chain;
use command::token::token;
use command::trace::trace;
use command::tune::{share, tune};
use slackwater::demo;
use slackwater::service::signals::{AtOnce, Status};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
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
        /// Open no browser. One is opened only if standard output is a terminal.
        #[arg(long)]
        no_open: bool,
    },
    /// Say whether a configuration is good, and everything that is not.
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Look at everything that the service rests on: broker, topics, folders, clocks, tokens, the database, the running service. Says
    /// what is wrong and what to do. Changes nothing, and works while the service runs. Ends with 1 if something is wrong, with 3 if
    /// there are only warnings.
    Doctor {
        /// The configuration; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Write JSON instead of text (schemas/doctor.schema.json).
        #[arg(long)]
        json: bool,
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
    /// Slackwater beside a Mastodon: what is done in its database, and its homes beside those here.
    #[command(subcommand)]
    Mastodon(Mastodon),
    /// Records that could not be used: what they are, and append them again. Asks the running service, or reads the log if none
    /// runs.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
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
        Ok(status) => status,
        Err(error) => {
            print_chain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let at_once = AtOnce::listen(match command {
        Command::Serve { .. } | Command::Demo { .. } => Status::Success,
        _ => Status::Signal,
    })?;
    let done = match command {
        Command::Mastodon(what) => return mastodon(&what),
        Command::DeadLetters(what) => return dead_letters(&what),
        Command::Doctor { config, json } => return doctor(config.as_deref(), json),
        Command::Serve { config, rebuild } => serve(config.as_deref(), rebuild, &at_once),
        Command::Demo {
            listen,
            seconds,
            seed,
            no_open,
        } => {
            let options = demo::Options {
                listen,
                ends_after: seconds.map(Duration::from_secs),
                seed,
                opens_page: !no_open,
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
    };
    done.map(|()| ExitCode::SUCCESS)
}
