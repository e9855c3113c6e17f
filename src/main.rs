//! The command line. Errors are printed here, once, with their causes.

mod command;

use clap::Parser;
use command::check::check;
use command::completions::completions;
use command::copy_log::copy_log;
use command::dead_letters::dead_letters;
use command::demo::show;
use command::doctor::doctor;
use command::line::{Command, CommandLine};
use command::man::man;
use command::mastodon::mastodon;
use command::serve::serve;
use command::terminal::print_chain;
use command::token::token;
use command::trace::trace;
use command::tune::tune;
use slackwater::demo;
use slackwater::service::signals::{AtOnce, Status};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// A checkpoint allocates and frees millions of small pieces, which the system's allocator keeps apart badly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Command::Completions { shell } => completions(shell),
        Command::Man { folder } => man(&folder),
        Command::CopyLog { folder, config } => copy_log(&folder, &config),
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
