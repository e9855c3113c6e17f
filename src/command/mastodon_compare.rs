//! `slackwater mastodon compare`.

use super::configuration::config_or_default;
use super::terminal::{print, tell};
use clap::Args;
use slackwater::api::auth::secret::Secret;
use slackwater::api::auth::token::Token;
use slackwater::compare::comparison::{POSTS_DEFAULT, POSTS_MAX, Question, compare};
use slackwater::compare::mastodon::Mastodon;
use slackwater::compare::reason::SignIn;
use slackwater::compare::report;
use slackwater::compare::slackwater::{Slackwater, url_of};
use slackwater::config::{self, Config};
use slackwater::connector::database::Database;
use slackwater::connector::sign_in::last_sign_in;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use url::Url;

/// What is compared, and how it is reached.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The account, by Mastodon's id of it.
    #[arg(long, value_name = "ID")]
    account: u64,
    /// An access token of that account, with the scope read (or read:accounts, read:statuses and read:follows): the token, or
    /// env:NAME or file:PATH of it.
    #[arg(long)]
    token: String,
    /// How many of the newest posts of each home are compared.
    #[arg(long, value_name = "N", default_value_t = POSTS_DEFAULT, value_parser = posts)]
    posts: usize,
    /// The running service; where the configuration lets it listen, if this is left out.
    #[arg(long, value_name = "URL", value_parser = server)]
    at: Option<Url>,
    /// The configuration; slackwater.toml here if there is one. It says where Mastodon is (mastodon.upstream, web_domain), and what
    /// the service takes from a backend (auth.service_tokens).
    #[arg(long)]
    config: Option<PathBuf>,
    /// Write JSON instead of text (schemas/compare.schema.json).
    #[arg(long)]
    json: bool,
}

/// Prints the comparison. The status says whether every difference has its reason.
pub(crate) async fn run(wanted: &Compare) -> Result<ExitCode, Box<dyn Error>> {
    let (name, config) = config_or_default(wanted.config.as_deref())?;
    let Some(upstream) = &config.auth.backend else {
        return Err(format!("write mastodon.upstream and mastodon.web_domain ({name} has none): that is where Mastodon's own home is read").into());
    };
    let token = config::secret(&wanted.token).map_err(|found| format!("--token is {found}"))?;
    let token = Token::new(token.reveal())
        .ok_or("--token is no token: letters, digits and signs, without spaces")?;
    let at = match &wanted.at {
        Some(at) => at.clone(),
        None => listening(&config)?,
    };
    let here = Slackwater::new(at, config.auth.service_tokens.first().cloned())?;
    let mastodon = Mastodon::new(upstream, token)?;
    let question = Question {
        account: wanted.account.to_string(),
        posts_max: wanted.posts,
        posts_keep: config.pipeline.engine.keep.posts,
        sign_in: match &config.connector.database {
            Some(address) => sign_in(address, wanted.account).await,
            None => SignIn::Unknown,
        },
        has_database: config.connector.database.is_some(),
    };
    let comparison = compare(&question, &mastodon, &here).await?;
    match wanted.json {
        true => print(&serde_json::to_string_pretty(&comparison)?)?,
        false => print(&report::text(&comparison))?,
    }
    Ok(match comparison.unexplained {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// When the account was last seen. Without it one kind of reason is not found, which is no reason to compare nothing.
async fn sign_in(address: &Secret, account: u64) -> SignIn {
    let asking = async {
        let database = Database::connect(address).await?;
        last_sign_in(&database, &account.to_string()).await
    };
    match asking.await {
        Ok(Some(at)) => SignIn::At(at),
        Ok(None) => SignIn::Never,
        Err(error) => {
            tell(&format!(
                "Mastodon's database does not say when the account was last seen: {error}"
            ));
            SignIn::Unknown
        }
    }
}

fn listening(config: &Config) -> Result<Url, Box<dyn Error>> {
    let listen = config.listen;
    match url_of(listen) {
        Ok(url) if listen.port() != 0 => Ok(url),
        _ => Err(format!("http.listen is {listen}, which says no port: send --at http://HOST:PORT of the running service").into()),
    }
}

fn posts(text: &str) -> Result<usize, String> {
    let posts = text.parse().ok().filter(|it| (1..=POSTS_MAX).contains(it));
    posts.ok_or_else(|| format!("1 to {POSTS_MAX}, as long as Mastodon keeps a home"))
}

fn server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "an http or https URL, such as http://127.0.0.1:8787".to_owned())
}
