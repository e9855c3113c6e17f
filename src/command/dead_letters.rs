//! `slackwater dead-letters`: records that could not be used, shown and appended again.

use super::configuration::config_or_default;
use super::terminal::{print, tell};
use clap::{Args, Subcommand};
use slackwater::api::dead_letter::{
    DeadLetter, DeadLetters, Encoding, Outcome, RecordBytes, Replayed,
};
use slackwater::clock;
use slackwater::config::Config;
use slackwater::log::built_in::BuiltInLogError;
use slackwater::log::dead_letters::replay::{REPLAY_HEADER, record_of};
use slackwater::log::dead_letters::{LetterId, LettersPosition, Span};
use slackwater::log::{self, LetterReader, LogError, LogWriter};
use slackwater::running_service::{RunningService, url_of};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use url::Url;

/// Letters of a page that is read.
const PAGE: usize = 80;
/// Bytes of a value that one letter alone is shown with.
const SHOWN_BYTES_MAX: usize = 4_000_000;
/// About the most letters that one command replays. Past that it says from where the next one is to go on.
const REPLAYED_MAX: usize = 100_000;
/// Characters of a value in a list.
const LINE_CHARACTERS: usize = 100;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// The newest of them, each with its reason.
    #[command(
        after_help = "Examples:\n  slackwater dead-letters list --limit 5\n  slackwater dead-letters list --reason 'not JSON' --json"
    )]
    List {
        #[command(flatten)]
        from: LetterSource,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Only those before this: `before` of an answer, or an id.
        #[arg(long, value_name = "POSITION")]
        before: Option<LettersPosition>,
        /// Only those whose reason has this in it, in any case.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Write JSON instead of text (schemas/dead-letters.schema.json).
        #[arg(long)]
        json: bool,
    },
    /// One of them, whole.
    #[command(
        after_help = "Examples:\n  slackwater dead-letters show 0-17\n  slackwater dead-letters show 0-17 --json"
    )]
    Show {
        #[command(flatten)]
        from: LetterSource,
        /// Which: as `list` has it.
        id: LetterId,
        /// Write JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Append records again after what made them unusable was mended, and say what became of each. Ends with 1 if one is not good.
    /// A letter stays where it is; to replay it again is as harmless as a redelivery.
    #[command(
        after_help = "Examples:\n  slackwater dead-letters replay 0-17 0-18\n  slackwater dead-letters replay --all --reason 'ref'"
    )]
    Replay {
        #[command(flatten)]
        from: LetterSource,
        /// Which: as `list` has them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<LetterId>,
        /// All of them, oldest first, but those that came of a replay.
        #[arg(long)]
        all: bool,
        /// With --all: only those whose reason has this in it, in any case.
        #[arg(long, value_name = "TEXT", requires = "all")]
        reason: Option<String>,
        /// With --all: only those before this, as a run that did not take all names it.
        #[arg(long, value_name = "POSITION", requires = "all")]
        before: Option<LettersPosition>,
    },
}

/// Where they are.
#[derive(Debug, Args)]
pub(crate) struct LetterSource {
    /// The configuration; slackwater.toml here if there is one.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The running service. Without it: the one that answers where http.listen says, or the log itself if none does.
    #[arg(long, value_name = "URL")]
    at: Option<Url>,
}

/// Does it.
pub(crate) fn dead_letters(command: &DeadLettersCommand) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            DeadLettersCommand::List {
                from,
                limit,
                before,
                reason,
                json,
            } => {
                let source = Source::find(from).await?;
                let found = source
                    .list(before.clone(), usize::from(*limit), reason.as_deref())
                    .await?;
                match json {
                    true => print(&serde_json::to_string_pretty(&found)?)?,
                    false => print_list(&found)?,
                }
                Ok(ExitCode::SUCCESS)
            }
            DeadLettersCommand::Show { from, id, json } => {
                let letter = Source::find(from).await?.letter(*id).await?;
                match json {
                    true => print(&serde_json::to_string_pretty(&letter)?)?,
                    false => print(&whole(&letter))?,
                }
                Ok(ExitCode::SUCCESS)
            }
            DeadLettersCommand::Replay {
                from,
                ids,
                reason,
                before,
                ..
            } => {
                let source = Source::find(from).await?;
                let ids = match ids.as_slice() {
                    [] => source.all(before.clone(), reason.as_deref()).await?,
                    ids => ids.to_vec(),
                };
                source.replay(&ids).await
            }
        }
    })
}

/// Where letters are read and replayed.
enum Source {
    /// At the running service.
    Service(RunningService),
    /// In the log, while no service runs.
    Log(log::Options),
}

impl Source {
    /// Says on standard error which it is.
    async fn find(from: &LetterSource) -> Result<Source, Box<dyn Error>> {
        let (name, config) = config_or_default(from.config.as_deref())?;
        if let Some(at) = &from.at {
            return Ok(Source::Service(RunningService::at(at.clone(), &config)?));
        }
        let Some(at) = url_of(config.listen) else {
            tell(&format!(
                "{}: http.listen of {name} says no port to ask a service at",
                log_name(&config)
            ));
            return Ok(Source::Log(config.log));
        };
        let service = RunningService::at(at, &config)?;
        if service.is_there().await {
            tell(&format!("asking the service at {}", service.address()));
            return Ok(Source::Service(service));
        }
        tell(&format!(
            "{}: no service answers at {}",
            log_name(&config),
            service.address()
        ));
        Ok(Source::Log(config.log))
    }

    async fn page(&self, span: Span, limit: usize) -> Result<DeadLetters, Box<dyn Error>> {
        match self {
            Source::Service(service) => {
                let span = match span {
                    Span::Newest => String::new(),
                    Span::Before(position) => format!("&before={position}"),
                    Span::After(position) => format!("&after={position}"),
                };
                Ok(service
                    .get(&format!("/v1/dead-letters?limit={limit}{span}"))
                    .await?)
            }
            Source::Log(log) => {
                let page = tokio::task::block_in_place(|| LetterReader::of(log).page(&span, limit));
                Ok(page?.into())
            }
        }
    }

    /// The newest `limit` letters with this in their reason.
    async fn list(
        &self,
        before: Option<LettersPosition>,
        limit: usize,
        reason: Option<&str>,
    ) -> Result<DeadLetters, Box<dyn Error>> {
        let mut found = DeadLetters {
            dead_letters: Vec::new(),
            before: None,
            after: None,
        };
        let mut span = before.map_or(Span::Newest, Span::Before);
        let mut size = PAGE;
        while found.dead_letters.len() < limit {
            let room = limit - found.dead_letters.len();
            let page = self.page(span.clone(), size).await?;
            let mut wanted = page.dead_letters;
            wanted.retain(|letter| has(letter, reason));
            if room < wanted.len() {
                // A shorter page ends where the list does, so that `before` leaves out none.
                size = (size / 2).max(1);
                continue;
            }
            found.dead_letters.append(&mut wanted);
            found.after = found.after.or(page.after);
            found.before = page.before;
            match &found.before {
                Some(before) => span = Span::Before(before.parse()?),
                None => break,
            }
        }
        Ok(found)
    }

    async fn letter(&self, id: LetterId) -> Result<DeadLetter, Box<dyn Error>> {
        match self {
            Source::Service(service) => Ok(service.get(&format!("/v1/dead-letters/{id}")).await?),
            Source::Log(log) => {
                let letter = tokio::task::block_in_place(|| LetterReader::of(log).letter(id))?;
                let letter = letter.ok_or_else(|| none_of(id))?;
                Ok(letter.excerpt(SHOWN_BYTES_MAX).into())
            }
        }
    }

    /// Those to be replayed, oldest first: of each record one, and none that came of a replay.
    async fn all(
        &self,
        before: Option<LettersPosition>,
        reason: Option<&str>,
    ) -> Result<Vec<LetterId>, Box<dyn Error>> {
        let mut ids = Vec::new();
        let mut records = BTreeSet::new();
        let mut span = before.map_or(Span::Newest, Span::Before);
        loop {
            let page = self.page(span, PAGE).await?;
            for letter in page.dead_letters {
                let is_of_replay = letter.headers.iter().any(|it| it.name == REPLAY_HEADER);
                let record = (letter.topic.clone(), letter.partition, letter.offset);
                if has(&letter, reason)
                    && !is_of_replay
                    && (record.0.is_none() || records.insert(record))
                {
                    ids.push(letter.id.parse()?);
                }
            }
            let Some(before) = page.before else { break };
            if REPLAYED_MAX <= ids.len() {
                tell(&format!(
                    "there may be more than these {}: go on with --before {before}",
                    ids.len()
                ));
                break;
            }
            span = Span::Before(before.parse()?);
        }
        ids.reverse();
        Ok(ids)
    }

    async fn replay(&self, ids: &[LetterId]) -> Result<ExitCode, Box<dyn Error>> {
        let mut counts = [0_usize; 4];
        let writer = match self {
            Source::Service(_) => None,
            // Locks the folder: so a service cannot have started meanwhile.
            Source::Log(log) => Some((log, open(log)?)),
        };
        for id in ids {
            let replayed: Replayed = match (self, &writer) {
                (Source::Service(service), _) => {
                    service
                        .post(&format!("/v1/dead-letters/{id}/replay"))
                        .await?
                }
                (Source::Log(_), Some((log, writer))) => append(log, writer, *id).await?,
                (Source::Log(_), None) => return Err("the log is not open".into()),
            };
            print(&outcome(&replayed))?;
            if let Some(count) = counts.get_mut(replayed.outcome as usize) {
                *count += 1;
            }
        }
        if let Some((_, writer)) = &writer {
            writer.close();
        }
        let [good, set_aside, refused, appended] = counts;
        tell(&format!(
            "{good} good, {set_aside} set aside again, {refused} not appended, {appended} appended and not read yet"
        ));
        Ok(match set_aside + refused {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn open(log: &log::Options) -> Result<LogWriter, Box<dyn Error>> {
    let opened = tokio::task::block_in_place(|| log::open_writer(log));
    opened.map_err(|error| {
        let is_in_use = matches!(error, LogError::BuiltIn(BuiltInLogError::InUse { .. }));
        match is_in_use {
            true => {
                format!("{error}. If that is the service, send --at http://HOST:PORT of it").into()
            }
            false => error.into(),
        }
    })
}

/// Appends the record of a letter to a log that no service reads at the moment.
async fn append(
    log: &log::Options,
    writer: &LogWriter,
    id: LetterId,
) -> Result<Replayed, Box<dyn Error>> {
    // The letters of an open log are read from it: its last file may be another than before it was opened.
    let letters = match log {
        log::Options::BuiltIn(_) => writer.letters(),
        log::Options::Kafka(_) => LetterReader::of(log),
    };
    let letter = tokio::task::block_in_place(|| letters.letter(id))?;
    let letter = letter.ok_or_else(|| none_of(id))?;
    let record = match record_of(&letter, letters.topic_of(&letter), clock::now()) {
        Ok(record) => record,
        Err(refused) => return Ok(Replayed::refused(id.to_string(), &refused)),
    };
    let position = writer.append(vec![record]).await?.first().copied();
    Ok(Replayed {
        id: id.to_string(),
        outcome: Outcome::Appended,
        reason: Some(
            "the service reads it when it runs; if it is set aside again, `list` shows it then"
                .to_owned(),
        ),
        topic: letter.source.map(|source| source.topic),
        partition: position.map(|position| position.partition),
        offset: position.map(|position| position.offset),
    })
}

fn none_of(id: LetterId) -> String {
    format!("there is no dead letter {id}, or no more")
}

fn log_name(config: &Config) -> String {
    match &config.log {
        log::Options::BuiltIn(options) => format!("reading the folder {}", options.path.display()),
        log::Options::Kafka(options) => format!("reading Kafka at {}", options.brokers.join(",")),
    }
}

fn has(letter: &DeadLetter, reason: Option<&str>) -> bool {
    let Some(wanted) = reason else { return true };
    let reason = letter.reason.as_deref().unwrap_or_default();
    reason.to_lowercase().contains(&wanted.to_lowercase())
}

fn print_list(found: &DeadLetters) -> Result<(), Box<dyn Error>> {
    for letter in &found.dead_letters {
        print(&format!(
            "{}\n    {}",
            head(letter),
            line(letter.value.as_ref())
        ))?;
    }
    match &found.before {
        Some(before) => tell(&format!("older ones: --before {before}")),
        None if found.dead_letters.is_empty() => tell("there are none"),
        None => {}
    }
    Ok(())
}

/// What `list` says of a letter beside its value.
fn head(letter: &DeadLetter) -> String {
    let at = letter.set_aside.or(letter.received);
    let at = at.map_or_else(|| "time not known".to_owned(), |at| at.rfc3339());
    let reason = letter.reason.as_deref().unwrap_or("no reason given");
    let (place, reason) = (visible(&place(letter)), visible(reason));
    format!("{}  {at}  {place}\n    {reason}", letter.id)
}

fn place(letter: &DeadLetter) -> String {
    match (&letter.topic, letter.partition, letter.offset) {
        (Some(topic), Some(partition), Some(offset)) => format!("{topic}/{partition}@{offset}"),
        _ => "place not known".to_owned(),
    }
}

fn whole(letter: &DeadLetter) -> String {
    let mut text = head(letter);
    if let Some(received) = letter.received {
        text.push_str(&format!("\nreceived: {}", received.rfc3339()));
    }
    if let Some(key) = &letter.key {
        text.push_str(&format!("\nkey: {}", plain(key)));
    }
    for header in &letter.headers {
        text.push_str(&format!(
            "\n{}: {}",
            visible(&header.name),
            plain(&header.value)
        ));
    }
    match &letter.value {
        Some(value) => text.push_str(&format!("\n\n{}", plain(value))),
        None => text.push_str("\n\n(no value)"),
    }
    text
}

fn plain(bytes: &RecordBytes) -> String {
    let cut = match bytes.cut {
        true => format!(" … (of {} bytes)", bytes.bytes),
        false => String::new(),
    };
    match bytes.encoding {
        Encoding::Text => format!("{}{cut}", visible(&bytes.data)),
        Encoding::Base64 => format!("base64 {}{cut}", bytes.data),
    }
}

/// The beginning of a value, on one line.
fn line(value: Option<&RecordBytes>) -> String {
    let Some(value) = value else {
        return "(no value)".to_owned();
    };
    let text = plain(value).replace(['\n', '\r', '\t'], " ");
    match text.char_indices().nth(LINE_CHARACTERS) {
        Some((end, _)) => format!(
            "{}… ({} bytes)",
            text.get(..end).unwrap_or_default(),
            value.bytes
        ),
        None => text,
    }
}

/// Text of strangers without what a terminal would obey.
fn visible(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

fn outcome(replayed: &Replayed) -> String {
    let what = match replayed.outcome {
        Outcome::Good => "good",
        Outcome::SetAside => "set aside again",
        Outcome::Refused => "not appended",
        Outcome::Appended => "appended",
    };
    let at = match (&replayed.topic, replayed.partition, replayed.offset) {
        (Some(topic), Some(partition), Some(offset)) => {
            format!(", at {topic}/{partition}@{offset}")
        }
        _ => String::new(),
    };
    let reason = replayed
        .reason
        .as_deref()
        .map(|it| format!(": {}", visible(it)));
    format!("{}  {what}{at}{}", replayed.id, reason.unwrap_or_default())
}
