use super::*;
use crate::feed::post::{Post, example};
use crate::feed::store::{CheckpointState, Options, PendingRemoval, Store};
use crate::record::offsets::LogPos;
use proptest::prelude::*;
use slackwater_order::time::Time;
use tempfile::TempDir;

/// Two stores told the same; the second makes every look-up.
struct Twins {
    folders: [TempDir; 2],
    stores: [Store; 2],
}

/// What happens to both.
#[derive(Clone, Debug)]
enum Happening {
    Put {
        place: u64,
        uri: u8,
        boosts: Option<u8>,
    },
    Forget(u8),
    PutPending(u8),
    /// A checkpoint, of which only so many writes succeed.
    Checkpoint(u64),
    /// Ends and begins again.
    Again,
    Remember,
}

const PLACES: u64 = 40;
const URIS: u8 = 12;

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (1..PLACES, 0..URIS, prop::option::weighted(0.4, 0..URIS))
            .prop_map(|(place, uri, boosts)| Happening::Put { place, uri, boosts }),
        1 => (0..URIS).prop_map(Happening::Forget),
        2 => (0..URIS).prop_map(Happening::PutPending),
        2 => prop_oneof![Just(u64::MAX), 0u64..20].prop_map(Happening::Checkpoint),
        1 => Just(Happening::Again),
        3 => Just(Happening::Remember),
    ]
}

fn uri(n: u8) -> String {
    format!("https://a.example/{n}")
}

fn post(place: u64, n: u8, boosts: Option<u8>) -> Post {
    let mut post = example::post("https://a.example/users/ana");
    post.id = PostId::from_number(place).unwrap();
    post.body.uri = uri(n);
    post.body.boost_of = boosts.map(uri);
    // So large that blocks are split.
    let noise: String = (0..400)
        .map(|k| format!("{},", (place * 7919 + k) * 2_654_435_761))
        .collect();
    post.body.addressed = vec![noise];
    post
}

fn open(folder: &TempDir) -> Store {
    Store::open_patiently(&Options {
        // A few posts, so that most are asked of the disk.
        cache_bytes: 20 << 10,
        ..Options::of_tests(folder.path())
    })
}

fn open_asking_everything(folder: &TempDir) -> Store {
    let mut store = open(folder);
    store.stored.highest = PostId::MAX;
    store
}

impl Twins {
    fn new() -> Twins {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let stores = [open(&folders[0]), open_asking_everything(&folders[1])];
        Twins { folders, stores }
    }

    fn again(self) -> Twins {
        let Twins { folders, stores } = self;
        drop(stores);
        let stores = [open(&folders[0]), open_asking_everything(&folders[1])];
        Twins { folders, stores }
    }

    /// Whether both go on.
    fn happens(&self, happening: &Happening) -> bool {
        let ended = self.stores.each_ref().map(|store| match happening {
            Happening::Put { place, uri, boosts } => {
                store.put_post(post(*place, *uri, *boosts));
                true
            }
            Happening::Forget(n) => {
                if let Some(post) = store.post_by_uri(&uri(*n)).unwrap() {
                    store.forget_post(&post).unwrap();
                }
                true
            }
            Happening::PutPending(n) => {
                let removal = PendingRemoval {
                    host: "a.example".to_owned(),
                    arrived: Time::default(),
                    at: LogPos::FIRST,
                };
                store.put_pending(&uri(*n), removal);
                true
            }
            Happening::Checkpoint(writes) => {
                store.cut_off_after(*writes);
                store.checkpoint(&CheckpointState::default()).is_ok()
            }
            Happening::Again | Happening::Remember => true,
        });
        assert_eq!(ended[0], ended[1]);
        if let Happening::Remember = happening {
            self.stores[0].remember_stored().unwrap();
        }
        ended[0]
    }

    fn check(&self) {
        let answers = self.stores.each_ref().map(|store| {
            let posts: Vec<Option<String>> = (0..=PLACES)
                .map(|place| store.post(PostId::from_number(place).unwrap()).unwrap())
                .map(|post| post.map(|post| post.body.uri.clone()))
                .collect();
            let by_uri: Vec<_> = (0..URIS)
                .map(|n| {
                    let found = store.post_by_uri(&uri(n)).unwrap().map(|post| post.id);
                    let lists = [Index::Author, Index::Parent, Index::Original]
                        .map(|index| store.list(index, &uri(n)).unwrap());
                    (found, store.pending(&uri(n)).unwrap(), lists)
                })
                .collect();
            (posts, by_uri)
        });
        assert_eq!(answers[0], answers[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Were this to fail, a post would get a second place, overwrite another's, or outlive its deletion.
    #[test]
    fn no_answer_depends_on_what_is_remembered(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut twins = Twins::new();
        for happening in &happenings {
            let goes_on = twins.happens(happening);
            if !goes_on || matches!(happening, Happening::Again) {
                twins = twins.again();
            }
            twins.check();
        }
    }
}

/// Were this to fail, nothing would be saved, and nobody would notice.
#[test]
fn once_all_is_remembered_what_is_not_stored_is_known_not_to_be() {
    let mut twins = Twins::new();
    for n in 0..10 {
        twins.happens(&Happening::Put {
            place: u64::from(n) + 1,
            uri: n,
            boosts: Some(n),
        });
        twins.happens(&Happening::PutPending(n));
    }
    twins.happens(&Happening::Checkpoint(u64::MAX));
    twins = twins.again();
    let stored = &twins.stores[0].stored;
    assert!(stored.may_have_uri(7), "not read yet");
    assert_eq!(stored.highest, PostId::from_number(10).unwrap());
    assert!(!stored.may_have_post(PostId::from_number(11).unwrap()));
    for _ in 0..2 * REMEMBERED.len() + 1 {
        twins.happens(&Happening::Remember);
    }
    let wrong = (0..1_000_u128)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834))
        .filter(|hash| stored.may_have_uri(*hash) || stored.may_have_pending(*hash))
        .count();
    assert!(wrong < 50, "{wrong} of 1,000");
    twins.check();
}
