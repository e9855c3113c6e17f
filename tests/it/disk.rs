//! Disks that are full or fail and clocks that leap, each while posts come in: the service is ready again by itself, or
//! ends and says why, and nothing that was acknowledged is lost.

use crate::support::failing::{self, EIO, ENOSPC, Failing};
use crate::support::instance::{self, Around, Door, Instance, OFTEN};
use crate::support::wait_for;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

const AUTHOR: &str = "https://tide.example/users/ana";
/// Who post at the same time.
const POSTERS: usize = 3;

/// A failure means that a full disk stops an instance until somebody restarts it, or that a post it was told is kept is gone.
#[test]
fn a_log_whose_disk_fails_while_posts_come_is_ready_again_by_itself_and_has_all_that_was_acknowledged()
 {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let log = dir.path().join("log");
    let mut instance = start(dir.path(), &failing);
    let load = Load::default();
    std::thread::scope(|scope| {
        let ending = load.begin(scope, &instance.door);
        for (error, said) in [
            (ENOSPC, "No space left on device"),
            (EIO, "Input/output error"),
            (failing::only_sync(EIO), "Input/output error"),
            (failing::only_sync(ENOSPC), "No space left on device"),
        ] {
            load.wait_for_more(30);
            failing.fail(error, &log);
            let detail = wait_for("a service that is not ready", || {
                let answer = instance.door.get("/readyz");
                (answer.status == 503).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
            });
            assert!(detail.contains(said), "{detail}");
            // The same everywhere; it works all the same.
            let health = instance.door.get("/healthz");
            let is_ready = health.json()["ready"].clone();
            assert_eq!((health.status, is_ready), (200, false.into()));
            wait_for("the number to say so too", || {
                (instance.door.metric("slackwater_ready") == 0.0).then_some(())
            });
            load.wait_for_refused();
            // What is in feeds can be read all the while.
            assert!(!instance.door.home("7").is_empty());
            failing.stop();
            instance.wait_until_ready();
        }
        load.wait_for_more(30);
        drop(ending);
    });
    load.check(&instance.door, "while it runs on");
    instance.restart();
    instance.wait_until_ready();
    load.check(&instance.door, "after a kill");
    instance.kill9();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    load.check(&instance.door, "after a rebuild");
    let said = instance.said();
    assert!(!said.contains("kept aside"), "{said}");
}

/// A failure means that a service whose feeds cannot be written hangs, or loses what it acknowledged.
#[test]
fn a_service_whose_feeds_cannot_be_written_ends_and_says_why_and_a_restart_has_all() {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let feeds = dir.path().join("feeds");
    let mut instance = start(dir.path(), &failing);
    let load = Load::default();
    for (error, said) in [
        (ENOSPC, "No space left on device"),
        (EIO, "Input/output error"),
        (failing::only_sync(EIO), "Input/output error"),
    ] {
        std::thread::scope(|scope| {
            let ending = load.begin(scope, &instance.door);
            load.wait_for_more(30);
            failing.fail(error, &feeds);
            let status = instance.ended();
            drop(ending);
            assert_eq!(status.code(), Some(1), "{status}");
            assert!(instance.said().contains(said), "{}", instance.said());
        });
        // A supervisor starts it again while the disk is as it was.
        instance.launch();
        let status = instance.ended();
        assert_eq!(status.code(), Some(1), "{status}");
        assert!(instance.said().contains(said), "{}", instance.said());
        failing.stop();
        instance.restart();
        instance.wait_until_ready();
        load.check(&instance.door, "after it ended");
    }
}

fn start(dir: &Path, failing: &Failing) -> Instance {
    let config = instance::built_in(OFTEN);
    let around = Around {
        environment: failing.environment(),
        ..Around::default()
    };
    let instance = Instance::start_within(dir, &config, around);
    instance.wait_until_ready();
    let relations = [
        r#"{"type":"account","account":"7","actor":"https://home.example/users/mia"}"#.to_owned(),
        format!(r#"{{"type":"follow","account":"7","target":"{AUTHOR}"}}"#),
    ];
    instance.door.post_lines("/v1/relationships", &relations);
    instance
}

/// Posts on their way, and which of them were acknowledged.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<Vec<String>>,
    refused: AtomicUsize,
    ended: AtomicBool,
    next: AtomicUsize,
}

impl Load {
    /// Posts until what this gives is dropped, also where a test fails. What is not acknowledged is not sent again.
    #[must_use]
    fn begin<'scope>(
        &'scope self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        door: &Door,
    ) -> Ending<'scope> {
        self.ended.store(false, Ordering::Release);
        for _ in 0..POSTERS {
            let door = door.clone();
            scope.spawn(move || {
                while !self.ended.load(Ordering::Acquire) {
                    let number = self.next.fetch_add(1, Ordering::Relaxed);
                    let (uri, body) = post(number);
                    match door.try_post("/v1/activities", "application/json", body.into()) {
                        Ok(answer) if answer.status == 202 => self.acknowledged.lock().push(uri),
                        Ok(answer) => {
                            assert_eq!(answer.status, 503, "{}", answer.text);
                            self.refused.fetch_add(1, Ordering::AcqRel);
                        }
                        // It has ended, or is about to.
                        Err(_) => std::thread::yield_now(),
                    }
                }
            });
        }
        Ending(self)
    }

    fn wait_for_more(&self, posts: usize) {
        let before = self.acknowledged.lock().len();
        wait_for("posts to be acknowledged", || {
            (before + posts <= self.acknowledged.lock().len()).then_some(())
        });
    }

    fn wait_for_refused(&self) {
        let before = self.refused.load(Ordering::Acquire);
        wait_for("a post to be refused", || {
            (before < self.refused.load(Ordering::Acquire)).then_some(())
        });
    }

    /// Whatever was acknowledged is there.
    fn check(&self, door: &Door, when: &str) {
        for uri in self.acknowledged.lock().iter() {
            wait_for(&format!("{uri} {when}"), || {
                (door.get(&format!("/v1/posts?uri={uri}")).status == 200).then_some(())
            });
        }
    }
}

struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// A post, every tenth larger than sled keeps among others.
fn post(number: usize) -> (String, String) {
    let uri = format!("{AUTHOR}/statuses/{number}");
    let content = "tide ".repeat(if number.is_multiple_of(10) {
        40_000
    } else {
        40
    });
    let body = format!(
        r#"{{"type":"Create","id":"{uri}/activity","actor":"{AUTHOR}","object":{{"type":"Note","id":"{uri}",
        "attributedTo":"{AUTHOR}","to":"https://www.w3.org/ns/activitystreams#Public","content":"{content}"}}}}"#
    );
    (uri, body)
}

/// A failure means that an instance whose clock is wrong for a day loses its log.
#[test]
fn a_clock_that_leaps_deletes_nothing() {
    const DAY: i64 = 86_400_000;
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let mut instance = start(dir.path(), &failing);
    let load = Load::default();
    // What expires is a closed segment: a failure closes one.
    let close_a_segment = |instance: &Instance| {
        failing.fail(ENOSPC, &dir.path().join("log"));
        load.wait_for_refused();
        failing.stop();
        instance.wait_until_ready();
    };
    let checkpoints = |instance: &Instance| {
        let count = "slackwater_checkpoint_seconds_count";
        let before = instance.door.metric(count);
        wait_for("checkpoints", || {
            (before + 3.0 <= instance.door.metric(count)).then_some(())
        });
    };
    std::thread::scope(|scope| {
        let ending = load.begin(scope, &instance.door);
        for _ in 0..2 {
            load.wait_for_more(30);
            close_a_segment(&instance);
        }
        drop(ending);
    });
    // At a start, and while posts come. The first checkpoint of a run is what lets the log drop what is old.
    let run = |instance: &mut Instance, ahead: i64, later: i64| {
        failing.leap(ahead);
        instance.restart();
        instance.wait_until_ready();
        std::thread::scope(|scope| {
            let ending = load.begin(scope, &instance.door);
            load.wait_for_more(10);
            checkpoints(instance);
            failing.leap(later);
            load.wait_for_more(10);
            checkpoints(instance);
            drop(ending);
        });
        let said = instance.said();
        assert!(!said.contains("removed a part of the log"), "{said}");
        said
    };
    let told = |said: &str| said.contains("time leaps: ") || said.contains("ahead of the clock: ");
    // No further back than posts are kept: what came then is dated so for good.
    for ahead in [400 * DAY, -20 * DAY] {
        let said = run(&mut instance, ahead, ahead);
        assert!(told(&said), "{said}");
        let doubt = instance.door.metric("slackwater_log_time_in_doubt");
        assert_eq!(doubt, 1.0);
        // What it has read by now arrived by the wrong clock.
        let said = run(&mut instance, ahead, ahead);
        assert!(told(&said), "{said}");
        let said = run(&mut instance, 0, 0);
        assert!(!told(&said), "{said}");
        let said = run(&mut instance, 0, ahead);
        assert!(told(&said), "{said}");
    }
    instance.kill9();
    failing.stop();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    load.check(&instance.door, "after a rebuild");
    // The clock is right, and so is the number.
    assert_eq!(instance.door.metric("slackwater_log_time_in_doubt"), 0.0);
}

/// A failure means that an operator whose disk flipped a bit has a service that does not start and does not say what to do.
#[test]
fn damaged_feeds_end_a_start_with_what_to_do_and_rebuild_does_it() {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let mut instance = start(dir.path(), &failing);
    let load = Load::default();
    std::thread::scope(|scope| {
        let ending = load.begin(scope, &instance.door);
        load.wait_for_more(600);
        drop(ending);
    });
    instance.kill9();
    let [db, conf] = ["db", "conf"].map(|file| dir.path().join("feeds").join(file));
    let (whole, whole_conf) = (std::fs::read(&db).unwrap(), std::fs::read(&conf).unwrap());
    let mut ended = 0;
    // What sled does not look at when it starts, and what it takes for the end of its log, it opens with: so all over the file,
    // each place far from those before, until some were noticed.
    for nth in 0..200_usize {
        if 24 <= nth && 0 < ended {
            break;
        }
        let at = (nth * 618_034 % 1_000_000) * whole.len() / 1_000_000;
        let mut damaged = whole.clone();
        for byte in damaged.iter_mut().skip(at).take(4_096) {
            *byte ^= 0x55;
        }
        std::fs::write(&db, damaged).unwrap();
        instance.launch();
        let said = wait_for("the service to listen or to end", || {
            let said = instance.said();
            (said.contains("listening on") || instance.has_ended()).then_some(said)
        });
        if instance.has_ended() {
            let said = instance.said();
            assert_eq!(instance.ended().code(), Some(1), "{said}");
            assert!(said.contains("slackwater serve --rebuild"), "{said}");
            assert!(!said.contains("stack backtrace"), "{said}");
            ended += 1;
        } else {
            assert!(said.contains("listening on"));
        }
        instance.kill9();
        std::fs::write(&db, &whole).unwrap();
    }
    assert!(0 < ended, "no damage was noticed");
    std::fs::write(&conf, &whole_conf[1..]).unwrap();
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1));
    let said = instance.said();
    assert!(said.contains("slackwater serve --rebuild"), "{said}");

    instance.more = vec!["--rebuild".to_owned()];
    instance.restart();
    instance.wait_until_ready();
    load.check(&instance.door, "after --rebuild");
    assert!(dir.path().join("feeds.aside/db").exists());
    // Told so at each start, it would fill the disk.
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1));
    assert!(
        instance.said().contains("feeds.aside"),
        "{}",
        instance.said()
    );
    instance.more.clear();
    instance.restart();
    instance.wait_until_ready();
    load.check(&instance.door, "after a start without it");
}

/// A failure means that a flipped bit in the log costs more than its record, or goes unnoticed.
#[test]
fn a_damaged_log_gives_what_can_be_read_of_it_and_counts_the_rest() {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let mut instance = start(dir.path(), &failing);
    // One group, the last of the log.
    let lines: Vec<String> = (0..50)
        .map(|number| post(number * 10 + 1).1.replace('\n', " "))
        .collect();
    instance.door.post_lines("/v1/activities", &lines);
    instance.settle();
    let cursor = instance.door.get("/v1/accounts/7/feeds/home").json()["cursor"].clone();
    instance.kill9();
    let file = dir.path().join("log/activities/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(instance.door.home("7").len(), 49);
    wait_for("the number", || {
        (instance.door.metric("slackwater_log_damaged_records") == 1.0).then_some(())
    });
    assert!(
        instance.said().contains("kept aside"),
        "{}",
        instance.said()
    );
    // Offsets are what they were.
    let more = post(9_999).1.replace('\n', " ");
    instance.door.post_lines("/v1/activities", &[more]);
    instance.settle();
    let cursor = cursor.as_str().unwrap();
    let changes = wait_for("the change", || {
        let answer = instance.door.get(&format!(
            "/v1/accounts/7/feeds/home/changes?cursor={cursor}"
        ));
        assert!([200, 410, 503].contains(&answer.status), "{}", answer.text);
        (answer.status == 200 && answer.text.contains("statuses/9999")).then_some(answer)
    });
    assert!(!changes.text.contains("statuses/11\""), "{}", changes.text);
}

/// A failure means that a start which was cut off while it kept damage aside makes the next count it twice.
#[test]
fn damage_that_could_not_be_kept_aside_at_first_is_counted_once() {
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let mut instance = start(dir.path(), &failing);
    let lines: Vec<String> = (0..3)
        .map(|number| post(number * 10 + 1).1.replace('\n', " "))
        .collect();
    instance.door.post_lines("/v1/activities", &lines);
    instance.settle();
    instance.kill9();
    let log = dir.path().join("log");
    let file = log.join("activities/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    // Only what is kept aside, whose names begin so, cannot be written.
    failing.fail(ENOSPC, &log.join("activities/00000000000000000000-"));
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1), "{}", instance.said());
    let said = instance.said();
    assert!(said.contains("No space left on device"), "{said}");
    failing.stop();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(instance.door.home("7").len(), 2);
    let counted = instance.door.metric("slackwater_log_damaged_records");
    assert_eq!(counted, 1.0);
}

/// A failure means that a bad place on a disk ends every start, or costs more than what was in it.
#[test]
fn a_bad_place_in_the_log_costs_what_was_in_it_and_one_that_is_all_bad_is_left_to_the_operator() {
    const BLOCK: u64 = 4096;
    let dir = TempDir::new().unwrap();
    let failing = Failing::new(dir.path());
    let mut instance = start(dir.path(), &failing);
    let lines: Vec<String> = (0..200)
        .map(|number| post(number * 10 + 1).1.replace('\n', " "))
        .collect();
    instance.door.post_lines("/v1/activities", &lines);
    // What is closed has another behind it: a failure closes one.
    failing.fail(ENOSPC, &dir.path().join("log"));
    let refused = post(1).1.into();
    let refused = instance
        .door
        .try_post("/v1/activities", "application/json", refused);
    assert_eq!(refused.unwrap().status, 503);
    failing.stop();
    instance.wait_until_ready();
    let lines: Vec<String> = (200..260)
        .map(|number| post(number * 10 + 1).1.replace('\n', " "))
        .collect();
    instance.door.post_lines("/v1/activities", &lines);
    instance.kill9();
    let [file, last] = ["0", "200"].map(|first| {
        let log = dir.path().join("log/activities");
        log.join(format!("{first:0>20}.log"))
    });
    let whole = std::fs::read(&file).unwrap();
    let record = whole.len() as u64 / 200;
    assert!(record < BLOCK && 20 * BLOCK < whole.len() as u64);
    let mut home = 260;
    let mut counted = 0.0;
    // In the midst, where the header is, and in the last file, which no index tells of.
    for (nth, (file, block)) in [(&file, 5), (&file, 0), (&last, 2)].into_iter().enumerate() {
        // Kept, so that no other file gets its number.
        std::fs::hard_link(file, dir.path().join(format!("kept{nth}"))).unwrap();
        failing.lose(file, block * BLOCK..(block + 1) * BLOCK);
        std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
        instance.restart();
        instance.wait_until_ready();
        let left = instance.door.home("7").len();
        let lost = home - left;
        let most = usize::try_from(BLOCK / record).unwrap() + 2;
        assert!((1..=most).contains(&lost), "{lost} of {home}");
        home = left;
        counted += lost as f64;
        wait_for("the number", || {
            (instance.door.metric("slackwater_log_damaged_records") == counted).then_some(())
        });
        let said = instance.said();
        assert!(said.contains("the disk does not give 1 blocks"), "{said}");
        assert!(said.contains("Input/output error"), "{said}");
        instance.kill9();
    }
    failing.lose(&file, 0..u64::MAX);
    let before = std::fs::metadata(&file).unwrap().len();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.launch();
    assert_eq!(instance.ended().code(), Some(1), "{}", instance.said());
    let said = instance.said();
    for told in ["00000000000000000000.log", "ddrescue", "Input/output error"] {
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(std::fs::metadata(&file).unwrap().len(), before);
    failing.stop();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(instance.door.home("7").len(), home);
}
