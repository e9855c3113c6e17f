//! What clients of Mastodon's API make of a home with late posts: each keeps the pages it gets by a rule of its own, and most of
//! these rules go by ids. The rules are those of clients that people use, in our own words.

use crate::support::surface::{Surface, token_of};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const POSTS: usize = 400;
/// How long after one post the next is written: a quarter of an hour is a few pages.
const EVERY: Duration = Duration::from_secs(10);
const PAGE: usize = 20;
/// Of so many posts in a hundred the delivery takes a quarter of an hour.
const LATE: [usize; 5] = [2, 5, 10, 20, 40];

/// What ids of posts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdsOf {
    /// Our places.
    Place,
    /// The backend's, made of the time a post was written, which is its place.
    Writing,
    /// The backend's, made of the time a post arrived.
    Arrival,
}

/// A home of many posts for each share of late ones, by account.
struct Homes {
    surface: Surface,
    /// The URIs of the posts of each account's home, newest first.
    written: BTreeMap<usize, Vec<String>>,
}

/// A status, as far as rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: String,
    uri: String,
}

impl Homes {
    fn new(ids_of: IdsOf) -> Homes {
        let mastodon = match ids_of {
            IdsOf::Place => "",
            IdsOf::Writing => "[ordering]\nplace = \"ref\"\n[mastodon]\nids = \"ref\"\n",
            IdsOf::Arrival => "[mastodon]\nids = \"ref\"\n",
        };
        let surface = Surface::start(mastodon);
        let begin = clock::now().minus(Duration::from_secs(10 * 3_600));
        let mut written = BTreeMap::new();
        for late in LATE {
            let author = format!("https://tide.example/users/{late}");
            let account = late.to_string();
            let actor = format!("https://home.example/users/{late}");
            surface.relate(&[
                json!({"type": "account", "account": account, "actor": actor}),
                json!({"type": "follow", "account": account, "target": author}),
            ]);
            let mut dice = fastrand::Rng::with_seed(late as u64);
            let mut posts: Vec<(Time, usize, Time)> = (0..POSTS)
                .map(|n| {
                    let published = begin.plus(EVERY * n as u32);
                    let delay = match dice.usize(..100) < late {
                        true => dice.u64(900..930),
                        false => dice.u64(1..5),
                    };
                    (published.plus(Duration::from_secs(delay)), n, published)
                })
                .collect();
            posts.sort_unstable();
            let activities: Vec<Value> = posts
                .iter()
                .map(|(arrived, n, published)| {
                    let uri = uri(late, *n);
                    let of = match ids_of {
                        IdsOf::Arrival => arrived,
                        IdsOf::Place | IdsOf::Writing => published,
                    };
                    let post_ref = of.millis() << 16 | i64::try_from(late * POSTS + n).unwrap();
                    let object = json!({"type": "Note", "id": uri, "attributedTo": author, "content": "low tide",
                        "published": published.rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]});
                    json!({"activity": {"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": object},
                        "arrived_at": arrived.rfc3339(), "ref": post_ref.to_string(), "author_ref": (900 + late).to_string()})
                })
                .collect();
            surface.tell(&activities);
            written.insert(late, (0..POSTS).rev().map(|n| uri(late, n)).collect());
        }
        Homes { surface, written }
    }

    /// A page of a home, newest first.
    fn page(&self, late: usize, query: &str) -> Vec<Seen> {
        let path = format!("/api/v1/timelines/home?limit={PAGE}{query}");
        let token = token_of(&late.to_string(), "read", Duration::from_secs(3_600));
        let request = self.surface.door().request(Method::GET, &path);
        let page: Value = request.bearer_auth(token).send().unwrap().json().unwrap();
        let statuses = page.as_array().unwrap_or_else(|| panic!("{path}: {page}"));
        let text = |status: &Value, field: &str| status[field].as_str().unwrap().to_owned();
        statuses
            .iter()
            .map(|status| Seen {
                id: text(status, "id"),
                uri: text(status, "uri"),
            })
            .collect()
    }
}

fn uri(late: usize, n: usize) -> String {
    format!("https://tide.example/posts/{late}/{n}")
}

/// Ids as clients compare them: the longer is the greater, and of one length the text decides.
fn compare(one: &str, other: &str) -> Ordering {
    (one.len(), one).cmp(&(other.len(), other))
}

/// What a client has after it scrolled from the top to the end.
type Rule = fn(&Homes, usize) -> Vec<Seen>;

/// The most pages that a client asks for: one that makes no headway gives up.
const PAGES_MAX: usize = 2 * POSTS / PAGE;

/// Scrolls down from the last that is kept, and keeps each page by `merge`.
fn scrolled(homes: &Homes, late: usize, merge: impl Fn(&mut Vec<Seen>, Vec<Seen>)) -> Vec<Seen> {
    let mut kept: Vec<Seen> = Vec::new();
    for _ in 0..PAGES_MAX {
        let below = kept.last().map(|last| format!("&max_id={}", last.id));
        let page = homes.page(late, &below.unwrap_or_default());
        if page.is_empty() {
            break;
        }
        merge(&mut kept, page);
    }
    kept
}

/// Official apps, Elk, toot and libraries: in the order of the server.
fn in_the_order_of_the_server(homes: &Homes, late: usize) -> Vec<Seen> {
    scrolled(homes, late, |kept, page| kept.extend(page))
}

/// Mastodon's own web client: a page takes the place of all that is kept between its first and its last id.
fn by_the_range_of_a_page(homes: &Homes, late: usize) -> Vec<Seen> {
    scrolled(homes, late, |kept, page| {
        let (Some(first), Some(last)) = (page.first(), page.last()) else {
            return;
        };
        let after = |to: &[Seen], is_above: &dyn Fn(Ordering) -> bool, id: &str| {
            let found = to.iter().rposition(|it| is_above(compare(&it.id, id)));
            found.map_or(0, |found| found + 1)
        };
        let end = after(kept, &Ordering::is_ge, &last.id);
        let begin = after(&kept[..end], &Ordering::is_gt, &first.id);
        kept.splice(begin..end, page);
    })
}

/// Tusky, Pachli, Pinafore, Fedilab: all that is known, sorted by id.
fn all_sorted_by_id(homes: &Homes, late: usize) -> Vec<Seen> {
    scrolled(homes, late, |kept, page| {
        kept.extend(page);
        kept.sort_by(|a, b| compare(&b.id, &a.id));
        kept.dedup();
    })
}

/// IceCubes: each page sorted by id.
fn each_page_sorted_by_id(homes: &Homes, late: usize) -> Vec<Seen> {
    scrolled(homes, late, |kept, mut page| {
        page.sort_by(|a, b| compare(&b.id, &a.id));
        kept.extend(page);
    })
}

/// Phanpy: what is not known yet goes below.
fn each_id_once(homes: &Homes, late: usize) -> Vec<Seen> {
    scrolled(homes, late, |kept, page| {
        let known: BTreeSet<String> = kept.iter().map(|it| it.id.clone()).collect();
        kept.extend(page.into_iter().filter(|it| !known.contains(&it.id)));
    })
}

/// Ivory: from the oldest on upwards, a page above the newest that is known, which is the one with the greatest id.
fn upwards_from_the_oldest(homes: &Homes, late: usize) -> Vec<Seen> {
    let mut kept: Vec<Seen> = Vec::new();
    for _ in 0..PAGES_MAX {
        let newest = kept.iter().max_by(|a, b| compare(&a.id, &b.id));
        let above = newest.map_or("0", |newest| &newest.id);
        let page = homes.page(late, &format!("&min_id={above}"));
        if page.is_empty() {
            break;
        }
        kept.splice(0..0, page);
    }
    kept
}

const RULES: [(&str, Rule); 6] = [
    ("in the order of the server", in_the_order_of_the_server),
    ("by the range of a page", by_the_range_of_a_page),
    ("all sorted by id", all_sorted_by_id),
    ("each page sorted by id", each_page_sorted_by_id),
    ("each id once", each_id_once),
    ("upwards from the oldest", upwards_from_the_oldest),
];

/// What a client lacks, and whether it has everything in order.
fn found(homes: &Homes, rule: Rule, late: usize) -> (usize, bool) {
    let kept = rule(homes, late);
    let written = &homes.written[&late];
    let shown: BTreeSet<&String> = kept.iter().map(|it| &it.uri).collect();
    let lost = written.iter().filter(|uri| !shown.contains(uri)).count();
    let is_whole = kept.iter().map(|it| &it.uri).eq(written);
    (lost, is_whole)
}

/// A failure means that people see less of their home, or in another order, because of how their client keeps it.
#[test]
fn every_clients_rule_keeps_all_posts_in_order_where_ids_are_places() {
    for ids_of in [IdsOf::Place, IdsOf::Writing] {
        let homes = Homes::new(ids_of);
        for late in LATE {
            for (name, rule) in RULES {
                let found = found(&homes, rule, late);
                assert_eq!(found, (0, true), "{ids_of:?}, {late} % late, {name}");
            }
        }
    }
}

/// The same with ids of arrival: if this shows no loss, the test above shows nothing.
#[test]
fn ids_of_arrival_lose_posts_and_order_in_clients_that_go_by_ids() {
    let homes = Homes::new(IdsOf::Arrival);
    let mut lost_by_range = 0;
    for late in LATE {
        let losses: Vec<(&str, usize, bool)> = RULES
            .iter()
            .map(|(name, rule)| {
                let (lost, is_whole) = found(&homes, *rule, late);
                (*name, lost, is_whole)
            })
            .collect();
        println!("{late} % late of {POSTS}, lost and in order: {losses:?}");
        for (name, lost, is_whole) in losses {
            match name {
                "in the order of the server" => assert!(is_whole, "{late} %"),
                "by the range of a page" => lost_by_range += lost,
                "all sorted by id" | "each page sorted by id" => {
                    assert!(!is_whole, "{late} %, {name}");
                }
                _ => {}
            }
        }
    }
    let all = LATE.len() * POSTS;
    assert!(all / 20 < lost_by_range, "{lost_by_range} of {all}");
}
