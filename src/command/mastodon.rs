//! `slackwater mastodon`: what is done in Mastodon's database, and its homes beside those here.

use super::configuration::config_or_default;
use super::mastodon_compare::{self, Compare};
use super::terminal::{ask, bar, print, show_progress, tell};
use clap::{Args, Subcommand};
use slackwater::api::auth::secret::Secret;
use slackwater::config;
use slackwater::connector::check::{Finding, check};
use slackwater::connector::database::{Database, Place};
use slackwater::connector::delays::{self, DAYS_MAX, DelayCounts, DelaysError};
use slackwater::connector::inspect::{Ours, inspect};
use slackwater::connector::install;
use slackwater::connector::install_sql::{self, Level, RoleName, Step};
use std::error::Error;
use std::io::{BufWriter, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Mastodon {
    /// Make the outbox and the triggers that note changes, and a role that may read them. The SQL is shown first.
    #[command(
        after_help = "Examples:\n  slackwater mastodon install --database env:DATABASE_URL --print\n  slackwater mastodon install --database env:DATABASE_URL --serve --role slackwater"
    )]
    Install {
        #[command(flatten)]
        database: Where,
        /// Give posts ids of the time they were written, too: then all of Mastodon has them in that order.
        #[arg(long)]
        serve: bool,
        /// The role that Slackwater will sign in as; made if there is none of this name.
        #[arg(long, default_value = "slackwater")]
        role: RoleName,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove all of it again. The SQL is shown first.
    #[command(
        after_help = "Examples:\n  slackwater mastodon uninstall --database env:DATABASE_URL --print\n  slackwater mastodon uninstall --database env:DATABASE_URL --only-ids"
    )]
    Uninstall {
        #[command(flatten)]
        database: Where,
        /// Remove only the trigger that changes ids: back from serving to looking.
        #[arg(long)]
        only_ids: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Say whether all is well with the database, and what to do. Ends with 1 if there is something to do.
    #[command(after_help = "Examples:\n  slackwater mastodon check --config slackwater.toml")]
    Check {
        #[command(flatten)]
        database: Where,
    },
    /// Write the delays of this instance's own posts to standard output, as `tune` reads them. Nothing is changed or installed.
    #[command(
        after_help = "Examples:\n  slackwater mastodon delays --database env:DATABASE_URL | slackwater tune -\n  slackwater mastodon delays --database env:DATABASE_URL --days 30 > trace.jsonl"
    )]
    Delays {
        #[command(flatten)]
        database: Where,
        /// The number of days, back from now.
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
        days: u32,
    },
    /// Compare Mastodon's own home of an account with the one here: every post that is in one of them only, with its reason, and how
    /// many would move. Ends with 1 if a difference has no reason. The service has to be running.
    #[command(
        after_help = "Examples:\n  slackwater mastodon compare --account 7 --token env:TOKEN\n  slackwater mastodon compare --account 7 --token env:TOKEN --posts 400 --json"
    )]
    Compare(Compare),
}

/// Where the database is.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Mastodon's database: postgres://USER:PASSWORD@HOST:5432/DATABASE, or env:NAME or file:PATH of that. Without it:
    /// mastodon.database of the configuration.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The configuration; slackwater.toml here if there is one.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Whether and how SQL is shown before it is run.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Print the SQL, for psql, and change nothing.
    #[arg(long)]
    print: bool,
    /// Do not ask, for scripts.
    #[arg(long)]
    yes: bool,
}

/// Does it.
pub(crate) fn mastodon(what: &Mastodon) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match what {
            Mastodon::Install {
                database,
                serve,
                role,
                consent,
            } => {
                let level = if *serve { Level::Serve } else { Level::Look };
                let steps = install_sql::install(level, role);
                let title = "What `slackwater mastodon install` does in Mastodon's database.";
                if let Some(connected) = agreed(database, &steps, title, consent).await? {
                    if let Some(obstacle) = install::obstacle(&inspect(&connected).await?) {
                        return Err(obstacle.into());
                    }
                    install::run(&connected, &steps, &mut |what| tell(what)).await?;
                    after_install(role, connected.place());
                }
                Ok(ExitCode::SUCCESS)
            }
            Mastodon::Uninstall {
                database,
                only_ids,
                consent,
            } => {
                let steps = match only_ids {
                    true => install_sql::uninstall_ids(),
                    false => install_sql::uninstall(),
                };
                let title = "What `slackwater mastodon uninstall` does in Mastodon's database.";
                if let Some(connected) = agreed(database, &steps, title, consent).await? {
                    uninstall(&connected, &steps).await?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Mastodon::Delays { database, days } => {
                let connected = Database::connect(&database.address()?).await?;
                write_delays(&connected, *days).await?;
                Ok(ExitCode::SUCCESS)
            }
            Mastodon::Compare(wanted) => mastodon_compare::run(wanted).await,
            Mastodon::Check { database } => {
                let connected = Database::connect(&database.address()?).await?;
                let findings = check(&inspect(&connected).await?, connected.place());
                for finding in &findings {
                    print(&match finding {
                        Finding::Good(what) => format!("good   {what}"),
                        Finding::ToDo(what) => format!("TO DO  {what}"),
                    })?;
                }
                Ok(match findings.iter().any(Finding::is_to_do) {
                    true => ExitCode::FAILURE,
                    false => ExitCode::SUCCESS,
                })
            }
        }
    })
}

/// The database, if the SQL is to be run on it: it was shown, and somebody agreed.
async fn agreed(
    database: &Where,
    steps: &[Step],
    title: &str,
    consent: &Consent,
) -> Result<Option<Database>, Box<dyn Error>> {
    let sql = install_sql::file(title, steps);
    if consent.print {
        print(sql.trim_end())?;
        return Ok(None);
    }
    let connected = Database::connect(&database.address()?).await?;
    if !consent.yes {
        print(&sql)?;
        let Place {
            host,
            port,
            database,
        } = connected.place();
        let question = format!("Run this on the database {database} at {host}:{port}?");
        match ask(&question)? {
            None => {
                return Err(
                    "nobody is there to be asked: send --yes to run this, or --print to see it"
                        .into(),
                );
            }
            Some(false) => {
                tell("nothing was changed");
                return Ok(None);
            }
            Some(true) => {}
        }
    }
    Ok(Some(connected))
}

async fn uninstall(connected: &Database, steps: &[Step]) -> Result<(), Box<dyn Error>> {
    let role = match inspect(connected).await?.ours {
        Ours::Installed(installed) => Some(installed.role),
        _ => None,
    };
    install::run(connected, steps, &mut |what| tell(what)).await?;
    tell("done");
    let left = match role {
        Some(role) => {
            let role = role.replace('\'', "''");
            let still = format!("SELECT rolname FROM pg_roles WHERE rolname = '{role}'");
            !connected.texts(&still).await?.is_empty()
        }
        None => false,
    };
    if left && matches!(inspect(connected).await?.ours, Ours::Absent) {
        tell(
            "the role is still there, without rights in this database: it was there before, or has rights elsewhere",
        );
    }
    Ok(())
}

fn after_install(role: &RoleName, place: &Place) {
    let address = place.address_for(&role.to_string());
    tell(&format!(
        "done. The role {role} can read private posts and who follows, mutes and blocks whom; it can read no password, no e-mail \
         address, no key and no access token (it can ask of a token that it is shown whose it is). It can change nothing but the \
         outbox. If it has no password yet, give it one with `\\password {role}` in psql, and Slackwater the address \
         {address} as mastodon.database. Then: slackwater mastodon check"
    ));
}

async fn write_delays(connected: &Database, days: u32) -> Result<(), Box<dyn Error>> {
    let bar = bar("reading the posts");
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = delays::write(connected, days, &mut out, &mut |done, all| {
        show_progress(&bar, done, all);
    })
    .await;
    bar.finish_and_clear();
    let counts = match written {
        // Whoever reads has enough: `slackwater mastodon delays | head`.
        Err(DelaysError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    };
    let DelayCounts {
        posts, unusable, ..
    } = counts;
    tell(&format!(
        "{posts} posts came in the last {days} days; {unusable} more could not be used"
    ));
    if let Some(until) = counts.until {
        tell(&format!(
            "none since {}: from then on ids are of the time posts were written, and `slackwater trace` has the delays",
            until.rfc3339()
        ));
    }
    Ok(())
}

impl Where {
    fn address(&self) -> Result<Secret, Box<dyn Error>> {
        if let Some(written) = &self.database {
            return config::secret(written)
                .map_err(|found| format!("--database is {found}").into());
        }
        let (name, config) = config_or_default(self.config.as_deref())?;
        config.connector.database.ok_or_else(|| {
            format!("send --database, or write mastodon.database ({name} has none)").into()
        })
    }
}
