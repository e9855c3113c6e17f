use super::*;
use crate::feed::post::{Post, example};
use crate::feed::store::post_block::{self, Block};
use proptest::prelude::*;
use slackwater_order::place::PostId;
use std::collections::BTreeMap;

fn post(id: u64, version: u8, bytes: usize) -> Post {
    let mut post = example::post("https://a.example/users/ana");
    post.id = PostId::from_number(id).unwrap();
    post.body.uri = format!("{version}{}", "x".repeat(bytes));
    post
}

fn change(id: u64, version: u8, bytes: usize) -> PostWrite {
    (
        PostId::from_number(id).unwrap(),
        Some(post_block::encode(&post(id, version, bytes)).unwrap()),
    )
}

/// Every post as a look-up finds it, and as a scan does.
fn both_ways(
    disk: &Disk,
    ids: std::ops::Range<u64>,
) -> (BTreeMap<u64, String>, Vec<(u64, String)>) {
    let found =
        ids.filter_map(|id| Some((id, disk.post(PostId::from_number(id)?).unwrap()?.body.uri)));
    let mut scanned = Vec::new();
    let mut from = Some(PostId::MIN);
    while let Some(place) = from {
        let (posts, next) = disk.posts_from(place, 3).unwrap();
        scanned.extend(
            posts
                .into_iter()
                .map(|post| (post.id.number(), post.body.uri)),
        );
        from = next;
    }
    (found.collect(), scanned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Were this to fail, a post would be lost or doubled by the way blocks are split, or by a crash in the midst.
    #[test]
    fn posts_are_found_however_blocks_were_split_and_wherever_that_was_cut_off(
        checkpoints in prop::collection::vec(
            (prop::collection::btree_map(1u64..400, (any::<u8>(), 0usize..4_000, prop::bool::weighted(0.85)), 0..60), any::<bool>()),
            1..8,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        let mut model = BTreeMap::new();
        for (posts, is_cut_off) in &checkpoints {
            let changes: Vec<PostWrite> = posts
                .iter()
                .map(|(id, (version, bytes, stays))| {
                    if *stays { change(*id, *version, *bytes) } else { (PostId::from_number(*id).unwrap(), None) }
                })
                .collect();
            if *is_cut_off {
                // The first part of what this checkpoint would write, then nothing more; then all of it again.
                let (_, old) = disk.block_over(PostId::MIN).unwrap().unwrap_or((PostId::MAX, Bytes::default()));
                let kept: Vec<(PostId, Vec<u8>)> = Block::read(&old)
                    .iter()
                    .flat_map(|block| block.rows().map(|(id, post)| (id, post.to_vec())).collect::<Vec<_>>())
                    .collect();
                if 1 < kept.len() {
                    let half = &kept[..kept.len() / 2];
                    disk.put_raw_block(half[half.len() - 1].0, post_block::pack(PostId::MIN, half)).unwrap();
                }
            }
            disk.put_posts(&changes).unwrap();
            for (id, (version, bytes, stays)) in posts {
                if *stays {
                    model.insert(*id, format!("{version}{}", "x".repeat(*bytes)));
                } else {
                    model.remove(id);
                }
            }
            let (found, scanned) = both_ways(&disk, 0..401);
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(scanned, model.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn what_is_synced_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), 1 << 20).unwrap();
    disk.put_posts(&[change(5, 1, 10)]).unwrap();
    disk.put(Tree::Meta, b"x", b"y".to_vec()).unwrap();
    disk.sync().unwrap();
    drop(disk);
    let disk = patiently(|| Disk::open(folder.path(), 1 << 20));
    assert_eq!(
        disk.get(Tree::Meta, b"x").unwrap().as_deref(),
        Some(&b"y"[..])
    );
    assert!(
        disk.post(PostId::from_number(5).unwrap())
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _held = Disk::open(folder.path(), 1 << 20).unwrap();
    assert!(Disk::open(folder.path(), 1 << 20).is_err());
}

/// A failure means that a full disk ends every later start too, with words about damage, when there is room again.
#[test]
fn a_snapshot_that_was_not_finished_does_not_keep_the_folder_shut() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = || -> Vec<String> {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("snap.")).collect()
    };
    let unfinished = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    let is_whole = |starts: u64| {
        let disk = patiently(|| Disk::open(folder.path(), 1 << 20));
        for id in 1..=starts {
            let post = disk.post(PostId::from_number(id).unwrap()).unwrap();
            assert!(post.is_some(), "{id} of {starts}");
        }
        disk.put_posts(&[change(starts + 1, 1, 10)]).unwrap();
        disk.sync().unwrap();
        // Nothing is taken from under whoever has it open.
        unfinished("snap.FFFFFFFFFFFFFFFE.generating", b"");
        assert!(Disk::open(folder.path(), 1 << 20).is_err());
        assert!(snapshots().contains(&"snap.FFFFFFFFFFFFFFFE.generating".to_owned()));
    };
    is_whole(0);
    is_whole(1);
    unfinished("snap.FFFFFFFFFFFFFFFF.generating", b"no room for mo");
    is_whole(2);
    for name in snapshots() {
        unfinished(&name, b"");
    }
    is_whole(3);
    let _disk = patiently(|| Disk::open(folder.path(), 1 << 20));
    let left = snapshots();
    assert!(
        left.len() == 1 && !left[0].ends_with(".generating"),
        "{left:?}"
    );
}
