//! The command line as it is written.

use super::dead_letters::DeadLettersCommand;
use super::mastodon::Mastodon;
use super::tune::share;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples:
  slackwater demo
  slackwater serve --config slackwater.toml

Ends with 0 if it is done, 1 if it failed or found something wrong, 2 for a command line that cannot be read, 3 for warnings alone
(doctor), and 128 and the number of a signal that ended it (serve and demo: 0).";

/// Puts federated posts back in the order they were written.
#[derive(Debug, Parser)]
#[command(name = "slackwater", version, about, after_help = AFTER_HELP)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service. Without a file: the built-in log in ./data, no Kafka needed.
    #[command(
        after_help = "Examples:\n  slackwater serve\n  slackwater serve --config /etc/slackwater/slackwater.toml\n  slackwater serve --rebuild"
    )]
    Serve {
        /// The configuration; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Put the feeds' folder aside first, and make it anew from the log. For a folder that is damaged.
        #[arg(long)]
        rebuild: bool,
    },
    /// Look at it: a made-up fediverse, time compressed, in a temporary folder. Ctrl-C ends it.
    #[command(
        after_help = "Examples:\n  slackwater demo\n  slackwater demo --listen 127.0.0.1:9000 --seconds 60"
    )]
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
    #[command(after_help = "Examples:\n  slackwater check slackwater.toml")]
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Look at everything that the service rests on: broker, topics, folders, clocks, tokens, the database, the running service. Says
    /// what is wrong and what to do. Changes nothing, and works while the service runs. Ends with 1 if something is wrong, with 3 if
    /// there are only warnings.
    #[command(
        after_help = "Examples:\n  slackwater doctor\n  slackwater doctor --config /etc/slackwater/slackwater.toml --json"
    )]
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
    #[command(
        after_help = "Examples:\n  slackwater trace > trace.jsonl\n  slackwater trace --config /etc/slackwater/slackwater.toml | slackwater tune -"
    )]
    Trace {
        /// The configuration that says where the log is; slackwater.toml here if there is one.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Copy a built-in log into the topics of Kafka that a configuration names. Stop the service before.
    #[command(after_help = "Examples:\n  slackwater copy-log data/log --config slackwater.toml")]
    CopyLog {
        /// The folder of the built-in log, `log.path`.
        folder: PathBuf,
        /// The configuration that the service will have.
        #[arg(long)]
        config: PathBuf,
    },
    /// What would these windows have done? Replays a trace, and recommends windows.
    #[command(
        after_help = "Examples:\n  slackwater tune trace.jsonl\n  slackwater tune trace.jsonl --config slackwater.toml --target 0.95 --plot wait.svg"
    )]
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
    #[command(
        after_help = "Examples:\n  slackwater token 7\n  slackwater token 7 --scope 'read write' --lives 1d --config slackwater.toml"
    )]
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
    /// Write the completions of a shell to standard output.
    #[command(
        after_help = "Examples:\n  slackwater completions bash > /etc/bash_completion.d/slackwater\n  slackwater completions zsh > _slackwater"
    )]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write the manual pages, one for each command, into a folder.
    #[command(after_help = "Examples:\n  slackwater man /usr/local/share/man/man1")]
    Man {
        /// The folder, which is made if it is missing.
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests;
