//! Small stories in few words: what is written, boosted and wanted, and what the feeds hold then.
//!
//! Account 7 is the reader; its own actor is author 5. A post is called by author and number, `0/1`; author 1 wrote `1/0`
//! before `0/1`, and everything arrives an hour later.

use super::reference_model::{Feeds, from_scratch};
use super::*;

/// The author who is account 7.
pub(super) const ME: usize = 5;
/// When everything arrives.
pub(super) const LATER: i64 = NOON + 3_600_000;

/// The world, and the lines it was told.
pub(super) struct Story {
    pub(super) world: World,
    lines: Vec<Line>,
}

impl Story {
    /// The world after these lines.
    pub(super) fn given(lines: &[Line]) -> Story {
        let mut story = Story {
            world: World::new(),
            lines: Vec::new(),
        };
        for line in [&[wish("account 5")], lines].concat() {
            story.tell(line);
        }
        story
    }

    /// One thing more happens. Every feed is then what the rules give from all that is so.
    pub(super) fn when(&mut self, line: Line) -> &mut Story {
        self.tell(line);
        assert_eq!(
            self.world.feeds(),
            from_scratch(&self.lines),
            "{:#?}",
            self.lines
        );
        self
    }

    /// As [`Story::when`], without a look at what the feeds are then.
    pub(super) fn tell(&mut self, line: Line) {
        self.world.take(self.lines.len(), &line);
        self.lines.push(line);
    }

    /// One thing more happens, and nothing is carried out that it calls for in feeds. Returns its offset.
    pub(super) fn tell_only(&mut self, line: &Line) -> i64 {
        let offset = self.lines.len();
        self.world.apply_line(offset, line);
        self.lines.push(line.clone());
        i64::try_from(offset).unwrap()
    }

    /// What a feed holds, lowest first: `home 7`, `friends 7`, `#rust`, `public`.
    pub(super) fn feed(&self, name: &str) -> String {
        held(&self.world.feeds(), name)
    }

    pub(super) fn home(&self) -> String {
        self.feed("home 7")
    }
}

/// What one of these feeds holds, lowest first: `1/0 0/1`.
pub(super) fn held(feeds: &Feeds, name: &str) -> String {
    let names: Vec<String> = feeds
        .get(name)
        .into_iter()
        .flat_map(|feed| &feed.entries)
        .map(|(_, uri)| uri.rsplitn(3, '/').take(2).collect::<Vec<_>>())
        .map(|parts| format!("{}/{}", parts[1], parts[0]))
        .collect();
    names.join(" ")
}

/// What account 7 wants: `follow 0`, `follow 0 "boosts":false`, `end follow 0`, `list friends "replies":"none"`,
/// `member friends 0`, `tag rust`.
pub(super) fn wish(words: &str) -> Line {
    wish_of("7", words)
}

/// What an account wants.
pub(super) fn wish_of(account: &str, words: &str) -> Line {
    let (words, removed) = match words.strip_prefix("end ") {
        Some(rest) => (rest, true),
        None => (words, false),
    };
    let (kind, rest) = words.split_once(' ').unwrap();
    let (target, more) = rest.split_once(' ').unwrap_or((rest, ""));
    let named = |text: &str| text.parse().map_or(text.to_owned(), actor);
    let about = match kind {
        "account" => format!(r#""account":"{account}","actor":"{}""#, named(target)),
        "member" => format!(
            r#""account":"{account}","list":"{target}","target":"{}""#,
            named(more)
        ),
        "limit" | "suspend" => format!(
            r#""account":"_instance","target":"{}","action":"{kind}""#,
            named(target)
        ),
        _ => format!(r#""account":"{account}","target":"{}""#, named(target)),
    };
    let kind = match kind {
        "member" => "list_member",
        "limit" | "suspend" => "moderation",
        kind => kind,
    };
    let more = match more {
        more if more.starts_with('"') => format!(",{more}"),
        _ => String::new(),
    };
    let removed = match kind {
        // It is never taken back.
        "mute_end" => String::new(),
        _ => format!(r#","removed":{removed}"#),
    };
    Line::Relation(format!(r#"{{"type":"{kind}",{about}{more}{removed}}}"#))
}

/// When an author writes a post: all moments differ.
pub(super) fn at(author: usize, n: usize) -> i64 {
    NOON + i64::try_from(10_000 * n + 1_000 * author).unwrap()
}

/// A public post; `more` goes into its object.
pub(super) fn writes(author: usize, n: usize, more: &str) -> Line {
    activity("Create", author, n, at(author, n), LATER, more)
}

pub(super) fn post(author: usize, n: usize) -> Line {
    writes(author, n, "")
}

pub(super) fn reply(author: usize, n: usize, to: (usize, usize)) -> Line {
    let more = format!(r#","inReplyTo":"{}""#, uri(to.0, to.1));
    writes(author, n, &more)
}

pub(super) fn tagged(author: usize, n: usize) -> Line {
    writes(author, n, RUST)
}

/// What a post tagged rust has besides.
pub(super) const RUST: &str = r##","tag":[{"type":"Hashtag","name":"#Rust"}]"##;

pub(super) fn boosts(by: usize, n: usize, of: (usize, usize)) -> Line {
    boost(by, n, of, at(by, n), LATER)
}

pub(super) fn deletes(author: usize, n: usize) -> Line {
    delete(author, n, LATER)
}

/// An edit, so many minutes after it was written; with none one that says no time, as changed poll counts do.
pub(super) fn edits(author: usize, n: usize, minutes: Option<i64>, more: &str) -> Line {
    let updated = minutes.map_or(String::new(), |minutes| {
        let updated = Time::from_millis(at(author, n) + minutes * 60_000);
        format!(r#","updated":"{}""#, updated.rfc3339())
    });
    let more = format!("{more}{updated}");
    activity("Update", author, n, at(author, n), LATER, &more)
}

/// An undo that names the boost, or only what was boosted.
pub(super) fn undoes(by: usize, boost: Option<usize>, of: (usize, usize)) -> Line {
    let (actor, original) = (actor(by), uri(of.0, of.1));
    let id = boost.map_or(String::new(), |n| format!(r#""id":"{}","#, uri(by, n)));
    said_by(&format!(
        r#"{{"type":"Undo","actor":"{actor}","object":{{{id}"type":"Announce","actor":"{actor}","object":"{original}"}}}}"#
    ))
}

/// The author is gone.
pub(super) fn leaves(author: usize) -> Line {
    let actor = actor(author);
    said_by(&format!(
        r#"{{"type":"Delete","actor":"{actor}","object":"{actor}"}}"#
    ))
}

fn said_by(json: &str) -> Line {
    Line::Activity {
        json: json.to_owned(),
        arrived: LATER,
        beside: Beside::default(),
    }
}

/// The same, fetched by the instance.
pub(super) fn fetched(line: Line) -> Line {
    let Line::Activity { json, arrived, .. } = line else {
        return line;
    };
    Line::Activity {
        json,
        arrived,
        beside: Beside {
            fetched: true,
            ..Beside::default()
        },
    }
}

/// The same, passed on by the actor `by`, the backend having verified its author too.
pub(super) fn relayed(by: usize, line: Line) -> Line {
    let Line::Activity { json, arrived, .. } = line else {
        return line;
    };
    let group = actor(by);
    Line::Activity {
        json: format!(
            r#"{{"id":"{group}#relay","type":"Announce","actor":"{group}","object":{json},"to":"as:Public"}}"#
        ),
        arrived,
        beside: Beside {
            inner_verified: true,
            ..Beside::default()
        },
    }
}

/// The same, with something else in it.
pub(super) fn altered(line: Line, from: &str, to: &str) -> Line {
    let Line::Activity {
        json,
        arrived,
        beside,
    } = line
    else {
        return line;
    };
    assert!(json.contains(from), "{json}");
    Line::Activity {
        json: json.replace(from, to),
        arrived,
        beside,
    }
}

pub(super) const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// The same, for the author's followers only.
pub(super) fn private(author: usize, line: Line) -> Line {
    altered(line, PUBLIC, &format!("{}/followers", actor(author)))
}
