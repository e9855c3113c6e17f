//! The people of the made-up fediverse: their origins, and what they write.

use slackwater_fediverse::json::Shape;
use slackwater_fediverse::origin::DelayProfile;

/// How an origin's posts look and how they are delivered, in the time of the made-up fediverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStyle {
    /// Mastodon-like; a few seconds.
    Punctual,
    /// Misskey-like; a few seconds.
    Hearth,
    /// Mastodon-like; sent when its queue runs, every 8 minutes.
    SlowQueue,
    /// A bridge; a minute or two, and of a thread the first post last.
    Bridge,
    /// Threads-like; held for 15 minutes.
    ThreadsLike,
}

impl DeliveryStyle {
    /// How its posts are spelled.
    pub(super) fn shape(self) -> Shape {
        match self {
            DeliveryStyle::Punctual | DeliveryStyle::SlowQueue => Shape::Mastodon,
            DeliveryStyle::Hearth => Shape::Misskey,
            DeliveryStyle::Bridge => Shape::Bridge,
            DeliveryStyle::ThreadsLike => Shape::Threads,
        }
    }

    /// How long a single post takes.
    pub(super) fn delay(self) -> DelayProfile {
        match self {
            DeliveryStyle::Punctual => DelayProfile::seconds(1..5),
            DeliveryStyle::Hearth => DelayProfile::seconds(2..9),
            DeliveryStyle::SlowQueue => DelayProfile::Queue {
                every_ms: 480_000,
                seconds_max: 20,
            },
            DeliveryStyle::Bridge => DelayProfile::BRIDGE,
            DeliveryStyle::ThreadsLike => DelayProfile::seconds(900..930),
        }
    }
}

/// Each origin: its host, its style, and that style in a few words, in the time here: a second stands for a minute.
pub const ORIGINS: [(&str, DeliveryStyle, &str); 5] = [
    ("tide.example", DeliveryStyle::Punctual, "punctual"),
    ("hearth.example", DeliveryStyle::Hearth, "punctual"),
    (
        "slow.example",
        DeliveryStyle::SlowQueue,
        "its queue runs every 8 s",
    ),
    (
        "bridge.example",
        DeliveryStyle::Bridge,
        "delivers threads 2, 3, 1",
    ),
    (
        "threads-like.example",
        DeliveryStyle::ThreadsLike,
        "holds posts for 15 s",
    ),
];

/// A person who writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// As in `name@host`.
    pub name: &'static str,
    pub(super) style: DeliveryStyle,
    /// What they write, in this order: it tells a small story.
    pub(super) says: [&'static str; 5],
}

/// Everybody who writes.
pub const PEOPLE: [Person; 10] = [
    Person {
        name: "ana",
        style: DeliveryStyle::Punctual,
        says: [
            "Low tide at last, boots on",
            "Found a whole crab shell",
            "The ferry is early, imagine",
            "Fog so thick it has corners",
            "Back home, sand everywhere",
        ],
    },
    Person {
        name: "boris",
        style: DeliveryStyle::Punctual,
        says: [
            "Bread is in the oven",
            "Bread is out of the oven",
            "Half the bread is gone already",
            "Never trust a new yeast",
            "Rye tomorrow, promised",
        ],
    },
    Person {
        name: "chidi",
        style: DeliveryStyle::Punctual,
        says: [
            "Goal! What a shot",
            "Half time, still one nil",
            "They equalised, of course",
            "Extra time, I cannot look",
            "Penalties. I am hiding",
        ],
    },
    Person {
        name: "dara",
        style: DeliveryStyle::Hearth,
        says: [
            "The cat learned to open doors",
            "Cat is now in the fridge",
            "New lock, annoyed cat",
            "Tea number four",
            "Finished the blue scarf",
        ],
    },
    Person {
        name: "emi",
        style: DeliveryStyle::Hearth,
        says: [
            "Rain on the tin roof again",
            "Practising the hard bit, slowly",
            "Neighbour asked for an encore",
            "New strings sound like bells",
            "Broke a string. Of course",
        ],
    },
    Person {
        name: "farid",
        style: DeliveryStyle::SlowQueue,
        says: [
            "Tomatoes: nine. Slugs: eleven",
            "First bee of the day",
            "Compost is steaming nicely",
            "Whose goat is this",
            "The goat has a name now",
        ],
    },
    Person {
        name: "greta",
        style: DeliveryStyle::SlowQueue,
        says: [
            "Library closes in ten minutes",
            "Someone returned a book from 1987",
            "No fine for brave people",
            "Found a pressed fern at page 40",
            "Lights out among the shelves",
        ],
    },
    Person {
        name: "hana",
        style: DeliveryStyle::Bridge,
        says: [
            "Drew a heron today",
            "The heron moved",
            "Drew a rock instead",
            "Ink on every finger",
            "Sketchbook number twelve is full",
        ],
    },
    Person {
        name: "june",
        style: DeliveryStyle::ThreadsLike,
        says: [
            "Sunset in five, run to the pier",
            "Best sunset of the year",
            "Street food by the pier is open",
            "Queue is short right now",
            "Dumplings sold out, sorry",
        ],
    },
    Person {
        name: "kofi",
        style: DeliveryStyle::ThreadsLike,
        says: [
            "Doors open, come early",
            "Support act is wonderful",
            "Main act in two minutes",
            "They are playing the old one",
            "Last song now",
        ],
    },
];

/// Threads that `hana` writes through the bridge.
pub(super) const THREADS: [[&str; 3]; 4] = [
    [
        "1/3 How to draw a heron: look long",
        "2/3 Draw only what is still there",
        "3/3 Leave the legs for last",
    ],
    [
        "1/3 Missed the last bus, so I walk",
        "2/3 A fox walks along, keeps its distance",
        "3/3 Home. The fox did not come in",
    ],
    [
        "1/3 My grandmother had one ink recipe",
        "2/3 Oak galls, rust, rain, patience",
        "3/3 It still writes after 60 years",
    ],
    [
        "1/3 A riddle: I come in twice a day",
        "2/3 I carry boats and never tire",
        "3/3 It is the tide. You knew",
    ],
];

impl Person {
    /// The host their posts come from.
    pub fn host(&self) -> &'static str {
        ORIGINS
            .iter()
            .find(|(_, style, _)| *style == self.style)
            .map_or("", |(host, ..)| host)
    }

    /// How their origin looks and delivers.
    pub fn style(&self) -> DeliveryStyle {
        self.style
    }

    /// `name@host`.
    pub fn handle(&self) -> String {
        format!("{}@{}", self.name, self.host())
    }

    /// Their actor id, in the shape their kind of server gives.
    pub fn actor(&self) -> String {
        let (host, name) = (self.host(), self.name);
        let number = name.bytes().fold(7_u64, |sum, b| sum * 31 + u64::from(b));
        match self.style {
            DeliveryStyle::Punctual | DeliveryStyle::SlowQueue => {
                format!("https://{host}/users/{name}")
            }
            DeliveryStyle::Hearth => format!("https://{host}/users/9{number:09x}"),
            DeliveryStyle::Bridge => format!("https://{host}/did:plc:{name}{number:012x}"),
            DeliveryStyle::ThreadsLike => format!("https://{host}/ap/users/17841{number:012}/"),
        }
    }
}
