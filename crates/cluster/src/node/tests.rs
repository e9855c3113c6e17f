use super::*;
use crate::shard::{AccountHash, INSTANCE};

/// Some nodes and the topic that they read.
struct Cluster {
    nodes: Vec<Node>,
    /// How far each has read.
    read: Vec<usize>,
    topic: Vec<(String, Vec<u8>)>,
    /// The ends of relations, and how far each node has them in force.
    ends: Ends,
    /// The nodes that still read the log up to where it ended at their start.
    behind: BTreeSet<String>,
    /// The nodes that still read relations up to where they ended at their start.
    without_relations: BTreeSet<String>,
    now: Moment,
}

const SHARDS: u32 = 8;

fn settings(node: &str, run: &str) -> Settings {
    Settings {
        node: node.to_owned(),
        run: format!("{node}-{run}"),
        address: format!("http://{node}.example"),
        lease: Duration::from_secs(4),
        standbys: 0,
        decides: "1".to_owned(),
        speaks: Speaks::default(),
        candidate_for: BTreeSet::new(),
        program: String::new(),
    }
}

impl Cluster {
    fn of(names: &[&str]) -> Cluster {
        Cluster::with(names, |_| {})
    }

    fn with(names: &[&str], change: impl Fn(&mut Settings)) -> Cluster {
        let mut cluster = Cluster {
            nodes: Vec::new(),
            read: Vec::new(),
            topic: Vec::new(),
            ends: (0..SHARDS).map(|partition| (partition, 10)).collect(),
            behind: BTreeSet::new(),
            without_relations: BTreeSet::new(),
            now: Moment::from_millis(1_000_000),
        };
        for name in names {
            let mut settings = settings(name, "1");
            change(&mut settings);
            cluster.join(settings);
        }
        cluster
    }

    fn join(&mut self, settings: Settings) {
        let mut node = Node::new(settings, SHARDS);
        for (offset, (key, value)) in self.topic.iter().enumerate() {
            node.read(offset as i64, key, Some(value), self.now)
                .unwrap();
        }
        node.start();
        self.nodes.push(node);
        self.read.push(self.topic.len());
    }

    fn at(&self, name: &str) -> usize {
        let is_it = |node: &Node| node.settings().node == name;
        self.nodes.iter().rposition(is_it).unwrap()
    }

    fn node(&mut self, name: &str) -> &mut Node {
        let at = self.at(name);
        &mut self.nodes[at]
    }

    /// A node reads all that there is, answers what it asks, and says what is due.
    fn turn(&mut self, at: usize) {
        self.read_all(at);
        let node = &mut self.nodes[at];
        let is_caught_up = !self.behind.contains(&node.settings().node);
        node.advance(Progress {
            has_relations: !self.without_relations.contains(&node.settings().node),
            is_caught_up,
            shards: SHARDS,
            taken: self.ends.clone(),
            in_force: self.ends.clone(),
            ..Progress::default()
        });
        if node.asks_ends() {
            node.ends(self.now, &self.ends);
        }
        if let Some(beat) = node.turn(self.now) {
            self.topic.push((beat.node.clone(), beat.encode()));
        }
    }

    fn read_all(&mut self, at: usize) {
        while let Some((key, value)) = self.topic.get(self.read[at]) {
            let offset = self.read[at] as i64;
            self.nodes[at]
                .read(offset, key, Some(value), self.now)
                .unwrap();
            self.read[at] += 1;
        }
    }

    fn wait(&mut self, millis: u64) {
        self.wait_without(&[], millis);
    }

    /// Time goes by for all nodes but these.
    fn wait_without(&mut self, stopped: &[&str], millis: u64) {
        let until = self.now.plus(Duration::from_millis(millis));
        while self.now < until {
            self.now = self.now.plus(Duration::from_millis(100));
            for at in 0..self.nodes.len() {
                if !stopped.contains(&self.nodes[at].settings().node.as_str()) {
                    self.turn(at);
                }
            }
        }
    }

    fn serves(&mut self, name: &str) -> BTreeSet<u32> {
        let now = self.now;
        let serving = self.node(name).serving();
        match serving.is_leased(now) {
            true => serving.serves.of,
            false => BTreeSet::new(),
        }
    }
}

/// Some account in one of these shards.
fn account_in(shards: &BTreeSet<u32>) -> AccountHash {
    let mut accounts = (0..).map(|n: u32| AccountHash::of(&n.to_string()));
    let has = |it: &AccountHash| shards.contains(&it.shard(SHARDS));
    accounts.find(has).unwrap()
}

fn all() -> BTreeSet<u32> {
    (0..SHARDS).collect()
}

#[test]
fn a_node_alone_serves_all() {
    let mut cluster = Cluster::of(&["a"]);
    assert_eq!(cluster.serves("a"), [].into());
    cluster.wait(1_000);
    assert_eq!(cluster.serves("a"), all());
}

#[test]
fn each_shard_is_at_one_of_the_nodes() {
    let mut cluster = Cluster::of(&["a", "b", "c"]);
    cluster.wait(3_000);
    let served = ["a", "b", "c"].map(|name| cluster.serves(name));
    assert_eq!(served.iter().map(BTreeSet::len).sum::<usize>(), 8);
    assert_eq!(
        served.iter().flatten().copied().collect::<BTreeSet<_>>(),
        all()
    );
    assert!(served.iter().all(|of| of.len() <= 3), "{served:?}");
}

/// Were this to fail, a node that is killed would take its accounts with it; or two would be waited for less than both may serve.
#[test]
fn when_a_node_is_killed_the_others_take_its_shards_when_its_lease_is_over() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    assert_ne!(cluster.serves("a"), all());
    cluster.wait_without(&["b"], 3_000);
    assert_ne!(cluster.serves("a"), all());
    cluster.wait_without(&["b"], 3_000);
    assert_eq!(cluster.serves("a"), all());
}

#[test]
fn a_node_that_is_stopped_serves_nothing_until_it_has_read_relations_up_to_their_end() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    let (had, now) = (cluster.serves("b"), cluster.now);
    let account = account_in(&had);
    let permit = cluster
        .node("b")
        .serving()
        .permit(Some(account), now)
        .unwrap();
    cluster.wait_without(&["b"], 12_000);
    let (now, at) = (cluster.now, cluster.at("b"));
    assert!(
        !cluster.node("b").serving().is_good(permit, now),
        "by its clock alone"
    );
    // Its record comes back, and it knows nothing of the end of relations.
    cluster.read_all(at);
    let beat = cluster.nodes[at].turn(now).unwrap();
    cluster.topic.push((beat.node.clone(), beat.encode()));
    cluster.read_all(at);
    assert_eq!(cluster.serves("b"), [].into());
    cluster.wait(3_000);
    assert!(!cluster.serves("b").is_empty());
    let now = cluster.now;
    assert!(
        !cluster.node("b").serving().is_good(permit, now),
        "what was looked at before the stop"
    );
}

/// Were this to fail, a record that was sent long ago would pass for a sign of life.
#[test]
fn a_record_that_comes_back_late_is_no_lease() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.turn(0);
    cluster.now = cluster.now.plus(Duration::from_secs(5));
    cluster.read_all(0);
    let now = cluster.now;
    cluster.node("a").ends(now, &Ends::new());
    assert!(!cluster.node("a").serving().is_leased(now));
    assert!(
        !cluster.node("a").asks_ends(),
        "nor is what is asked now of use"
    );
}

#[test]
fn a_shard_moves_to_a_node_that_joins_without_a_moment_in_which_nobody_serves_it() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    cluster.join(settings("b", "1"));
    for _ in 0..60 {
        cluster.wait(100);
        let mut served = cluster.serves("a");
        served.extend(cluster.serves("b"));
        assert_eq!(served, all());
    }
    assert_eq!(cluster.serves("a").len(), 4);
    assert_eq!(cluster.serves("b").len(), 4);
}

#[test]
fn a_node_that_leaves_gives_its_shards_away_first_and_says_so() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    let now = cluster.now;
    cluster.node("b").leave(now);
    for _ in 0..30 {
        cluster.wait(100);
        let mut served = cluster.serves("a");
        served.extend(cluster.serves("b"));
        assert_eq!(served, all());
    }
    assert!(cluster.node("b").has_left());
    let now = cluster.now;
    assert!(
        !cluster.node("b").serving().is_leased(now),
        "nor feeds of nobody"
    );
}

#[test]
fn the_last_node_leaves_after_a_moment() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let now = cluster.now;
    cluster.node("a").leave(now);
    cluster.wait(1_000);
    assert!(!cluster.node("a").has_left());
    cluster.wait(2_000);
    assert!(cluster.node("a").has_left());
}

#[test]
fn a_standby_answers_when_the_node_of_an_account_cannot_be_reached() {
    let mut cluster = Cluster::with(&["a", "b"], |it| it.standbys = 1);
    cluster.wait(4_000);
    let (served, now) = (cluster.serves("b"), cluster.now);
    assert_eq!(cluster.node("a").serving().standby.of, served);
    let account = account_in(&served);
    let there = [("b".to_owned(), "http://b.example".to_owned())];
    assert_eq!(
        cluster.node("a").route(account, now),
        Route::There(there.into())
    );
    cluster.node("a").mark_away("b", now);
    assert_eq!(
        cluster.node("a").route(account, now),
        Route::Here(Role::StandsBy)
    );
    cluster.wait_without(&["b"], 100);
    let said = &cluster.topic.last().unwrap().1;
    let said = Beat::decode("a", said).unwrap();
    assert_eq!(said.cannot_reach, ["b".to_owned()].into());
    cluster.wait_without(&["b"], 6_000);
    assert_eq!(
        cluster.serves("a"),
        all(),
        "and serves for good when it is gone"
    );
}

#[test]
fn a_shard_that_nobody_can_be_asked_about_is_claimed_and_given_back() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    let (served, now) = (cluster.serves("b"), cluster.now);
    let account = account_in(&served);
    cluster.node("a").mark_away("b", now);
    assert_eq!(cluster.node("a").route(account, now), Route::Nowhere);
    cluster.node("a").claim(account, now);
    cluster.wait(500);
    let now = cluster.now;
    assert_eq!(
        cluster.node("a").route(account, now),
        Route::Here(Role::Serves)
    );
    assert_eq!(cluster.serves("b"), served, "both do");
    // Nothing says that it can be reached again.
    cluster.wait(20_000);
    assert!(cluster.serves("a").contains(&account.shard(SHARDS)));
    cluster.wait(15_000);
    assert!(!cluster.serves("a").contains(&account.shard(SHARDS)));
}

/// Were this to fail, the accounts of a node that is restarted would be away from it for half a minute.
#[test]
fn what_was_claimed_goes_back_as_soon_as_a_new_process_has_the_name_of_the_node() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    let (served, now) = (cluster.serves("b"), cluster.now);
    let account = account_in(&served);
    cluster.node("a").mark_away("b", now);
    cluster.node("a").claim(account, now);
    cluster.wait(500);
    assert!(cluster.serves("a").contains(&account.shard(SHARDS)));
    cluster.nodes.pop();
    cluster.read.pop();
    cluster.join(settings("b", "2"));
    cluster.wait(2_000);
    assert_eq!(cluster.serves("b"), served);
    assert!(!cluster.serves("a").contains(&account.shard(SHARDS)));
}

/// Were this to fail, an upgrade that changes requests between nodes would have half of all requests refused.
#[test]
fn a_node_that_reads_no_requests_of_this_version_counts_as_one_that_cannot_be_reached() {
    let mut cluster = Cluster::with(&["a", "b"], |it| {
        it.speaks.hop = if it.node == "a" { (1, 2) } else { (1, 1) };
    });
    cluster.wait(3_000);
    let now = cluster.now;
    let (of_a, of_b) = ["a", "b"]
        .map(|name| account_in(&cluster.serves(name)))
        .into();
    assert_eq!(cluster.node("a").route(of_b, now), Route::Nowhere);
    let there = Route::There(vec![("a".to_owned(), "http://a.example".to_owned())]);
    assert_eq!(cluster.node("b").route(of_a, now), there);
    cluster.node("a").claim(of_b, now);
    cluster.wait(1_000);
    let now = cluster.now;
    assert_eq!(
        cluster.node("a").route(of_b, now),
        Route::Here(Role::Serves)
    );
}

/// Were this to fail, two processes of one name would both serve, or none.
#[test]
fn of_two_processes_of_a_name_the_newer_stays() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    cluster.join(settings("a", "2"));
    cluster.wait(5_000);
    assert_eq!(cluster.nodes[0].barred(), Some(Barred::Superseded));
    assert!(cluster.nodes[0].has_left());
    assert_eq!(cluster.nodes[1].barred(), None);
    assert_eq!(cluster.serves("a"), all());
}

/// Were this to fail, a process that was frozen for days would take the one that took its place with it.
#[test]
fn an_older_process_that_comes_back_ends_and_the_newer_stays() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let mut newer = Node::new(settings("a", "2"), SHARDS);
    // Nothing of the first is left in the topic when the second begins.
    newer.start();
    cluster.nodes.push(newer);
    cluster.read.push(cluster.topic.len());
    let begun = cluster.now;
    while cluster.now < begun.plus(Duration::from_secs(2)) {
        cluster.now = cluster.now.plus(Duration::from_millis(100));
        cluster.turn(1);
    }
    // The first says something before it reads.
    let now = cluster.now;
    let beat = cluster.nodes[0].turn(now).unwrap();
    cluster.topic.push((beat.node.clone(), beat.encode()));
    cluster.wait(2_000);
    assert_eq!(cluster.nodes[0].barred(), Some(Barred::Superseded));
    assert_eq!(cluster.nodes[1].barred(), None);
    assert_eq!(cluster.serves("a"), all());
}

#[test]
fn a_node_with_other_settings_serves_nothing_while_an_older_one_lives() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let other = Settings {
        decides: "2".to_owned(),
        ..settings("b", "1")
    };
    cluster.join(other);
    cluster.wait(5_000);
    assert_eq!(cluster.serves("a"), all());
    assert_eq!(cluster.serves("b"), [].into());
    assert_eq!(cluster.node("b").barred(), Some(Barred::Differs));
    cluster.wait_without(&["a"], 7_000);
    assert_eq!(cluster.serves("b"), all());
}

/// Were this to fail, the feeds of a node that is gone would be dropped where they are kept for just that.
#[test]
fn who_stands_by_for_a_node_of_the_group_does_so_until_the_group_places_its_shards_anew() {
    let mut cluster = Cluster::with(&["a", "b"], |it| it.standbys = 1);
    cluster.node("a").give(Given::Shards([0, 1, 2, 3].into()));
    cluster.node("b").give(Given::Shards([4, 5, 6, 7].into()));
    cluster.wait(4_000);
    let of_b: BTreeSet<u32> = [4, 5, 6, 7].into();
    assert_eq!(cluster.node("a").serving().standby.of, of_b);
    for _ in 0..100 {
        cluster.wait_without(&["b"], 100);
        assert_eq!(cluster.node("a").serving().standby.of, of_b);
    }
    cluster.node("a").give(Given::Shards(all()));
    cluster.wait_without(&["b"], 500);
    assert_eq!(cluster.serves("a"), all());
}

/// Were this to fail, a node that starts would drop the feeds that it has on its disk, just before it is given them.
#[test]
fn before_the_group_says_so_a_node_neither_serves_nor_stands_by() {
    let mut cluster = Cluster::with(&["a", "b"], |it| it.standbys = 1);
    cluster.node("a").give(Given::Shards(all()));
    cluster.node("b").give(Given::Awaited);
    cluster.wait(4_000);
    assert_eq!(cluster.node("b").kept().of, [].into());
    cluster.node("b").give(Given::Shards([].into()));
    cluster.wait(4_000);
    assert_eq!(cluster.node("b").kept().of, all());
}

/// Were this to fail, a setting that is taken over at a node that is alone would have all its feeds dropped.
#[test]
fn the_oldest_node_agrees_with_itself() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    let served = cluster.serves("a");
    cluster.node("a").set_decides("2".to_owned());
    for _ in 0..10 {
        cluster.wait(100);
        assert!(cluster.serves("a").is_superset(&served));
    }
    assert_eq!(cluster.node("b").barred(), Some(Barred::Differs));
    cluster.node("b").set_decides("2".to_owned());
    cluster.wait(1_000);
    assert_eq!(cluster.node("b").barred(), None);
}

/// Were this to fail, all that is upgraded would wait for the lease of what has left.
#[test]
fn a_node_that_has_left_decides_nothing() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let other = Settings {
        decides: "2".to_owned(),
        ..settings("b", "1")
    };
    cluster.join(other);
    cluster.wait(1_000);
    let now = cluster.now;
    cluster.node("a").leave(now);
    cluster.wait(3_000);
    assert!(cluster.node("a").has_left());
    cluster.wait_without(&["a"], 1_000);
    assert_eq!(cluster.serves("b"), all());
}

#[test]
fn the_consumer_group_says_where_shards_go_if_there_is_one() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.node("a").give(Given::Shards([0, 1, 9].into()));
    cluster.node("b").give(Given::Shards([2].into()));
    cluster.wait(2_000);
    assert_eq!(cluster.serves("a"), [0, 1].into());
    assert_eq!(cluster.serves("b"), [2].into());
    cluster.node("a").give(Given::Shards([0].into()));
    cluster.wait(2_000);
    assert_eq!(cluster.serves("a"), [0, 1].into(), "nobody has taken it");
    cluster.node("b").give(Given::Shards([1, 2].into()));
    cluster.wait(2_000);
    assert_eq!(cluster.serves("a"), [0].into());
    assert_eq!(cluster.serves("b"), [1, 2].into());
}

#[test]
fn a_relation_is_answered_when_it_is_in_force_at_all_or_who_lacks_it_is_gone() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.wait(3_000);
    for (account, partition) in [("7", AccountHash::of("7").shard(SHARDS)), (INSTANCE, 1)] {
        let offset = cluster.ends[&partition];
        let barrier = Barrier::new([(account, partition, offset)], cluster.now);
        *cluster.ends.get_mut(&partition).unwrap() += 1;
        let (a, b) = (cluster.at("a"), cluster.at("b"));
        assert!(!cluster.nodes[a].is_in_force(&barrier));
        // Whichever of them has the account: the other waits until it says so.
        cluster.wait(1_200);
        assert!(cluster.nodes[a].is_in_force(&barrier), "{account}");
        assert!(cluster.nodes[b].is_in_force(&barrier), "{account}");
    }
    let barrier = Barrier::new([(INSTANCE, 1, cluster.ends[&1])], cluster.now);
    *cluster.ends.get_mut(&1).unwrap() += 1;
    cluster.wait_without(&["b"], 3_000);
    assert!(!cluster.node("a").is_in_force(&barrier));
    cluster.wait_without(&["b"], 3_000);
    assert!(cluster.node("a").is_in_force(&barrier));
}

/// Were this to fail, a node that was stopped would read Mastodon's outbox beside the one that took over.
#[test]
fn a_node_whose_lease_ended_stands_behind_those_that_took_its_work_over() {
    let mut cluster = Cluster::with(&["a", "b"], |it| {
        it.candidate_for = ["connector".to_owned()].into();
    });
    let works = |cluster: &mut Cluster| {
        let now = cluster.now;
        ["a", "b"].map(|name| cluster.node(name).works("connector", now))
    };
    cluster.wait(3_000);
    assert_eq!(works(&mut cluster), [true, false]);
    cluster.wait_without(&["a"], 7_000);
    assert_eq!(works(&mut cluster), [false, true]);
    for _ in 0..40 {
        cluster.wait(100);
        assert_eq!(works(&mut cluster), [false, true]);
    }
}

#[test]
fn requests_that_wait_for_a_proof_have_it_soon() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let soon = cluster.now.plus(Duration::from_millis(10));
    cluster.now = soon;
    let node = cluster.node("a");
    assert_eq!(node.turn(soon), None);
    node.want_proof(soon.next());
    assert_eq!(node.turn(soon), None, "it would prove nothing");
    assert_eq!(node.next_turn(soon), soon.next());
    assert!(node.turn(soon.next()).is_some());
}

/// Were this to fail, requests that are posted while the topic is slow would end the lease of their node.
#[test]
fn records_that_requests_wait_for_do_not_crowd_out_those_that_are_on_their_way() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    let begin = cluster.now;
    let mut sent = Vec::new();
    for n in 1..=800 {
        let now = begin.plus(Duration::from_millis(5 * n));
        let node = cluster.node("a");
        node.want_proof(now);
        sent.extend(node.turn(now).map(|beat| (beat, now)));
    }
    assert!(sent.len() <= SENT_MAX + 5, "{} records", sent.len());
    let (first, at) = &sent[1];
    let (key, value) = (first.node.clone(), first.encode());
    let now = begin.plus(Duration::from_millis(3_900));
    cluster
        .node("a")
        .read(9_999, &key, Some(&value), now)
        .unwrap();
    assert_eq!(cluster.node("a").proved(), Some(*at));
}

/// Were this to fail, a suspension could not be answered while some node joins, which takes minutes.
#[test]
fn what_the_instance_says_does_not_wait_for_a_node_that_reads_its_first_relations() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    cluster.without_relations.insert("b".to_owned());
    cluster.behind.insert("b".to_owned());
    cluster.join(settings("b", "1"));
    cluster.wait(1_000);
    let suspends = |cluster: &mut Cluster| {
        let barrier = Barrier::new([(INSTANCE, 1, cluster.ends[&1])], cluster.now);
        *cluster.ends.get_mut(&1).unwrap() += 1;
        barrier
    };
    let (barrier, now) = (suspends(&mut cluster), cluster.now);
    cluster.wait_without(&["b"], 1_200);
    assert!(cluster.node("a").is_in_force(&barrier));
    assert!(!cluster.node("b").serving().is_leased(now));
    // It begins to show feeds: whoever answers waits for it from the record on that says so.
    cluster.without_relations.clear();
    cluster.wait(100);
    let barrier = suspends(&mut cluster);
    let now = cluster.now;
    assert!(!cluster.node("b").serving().is_leased(now));
    cluster.wait_without(&["b"], 1_200);
    assert!(!cluster.node("a").is_in_force(&barrier));
    cluster.wait(1_200);
    assert!(cluster.node("a").is_in_force(&barrier));
    let now = cluster.now;
    assert!(cluster.node("b").serving().is_leased(now));
}

/// Were this to fail, a node would show public feeds of which nobody knows, and a suspension would be answered without it.
#[test]
fn a_record_that_does_not_say_that_feeds_are_shown_opens_nothing() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.without_relations.insert("a".to_owned());
    cluster.turn(0);
    cluster.without_relations.clear();
    let now = cluster.now;
    let node = &mut cluster.nodes[0];
    node.advance(Progress {
        has_relations: true,
        shards: SHARDS,
        ..Progress::default()
    });
    assert_eq!(node.turn(now), None, "one was sent just now");
    cluster.read_all(0);
    assert!(!cluster.nodes[0].asks_ends());
    cluster.wait(500);
    assert_eq!(cluster.serves("a"), all());
}

/// Were this to fail, readers would move to a node that has an older feed than the one that they had.
#[test]
fn a_node_that_is_behind_gets_no_shards_while_others_are_not() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.wait(2_000);
    cluster.behind.insert("b".to_owned());
    cluster.join(settings("b", "1"));
    cluster.wait(5_000);
    assert_eq!(
        (cluster.serves("a"), cluster.serves("b")),
        (all(), [].into())
    );
    cluster.behind.clear();
    cluster.wait(5_000);
    assert_eq!(
        (cluster.serves("a").len(), cluster.serves("b").len()),
        (4, 4)
    );
    let names = ["a", "b"].map(str::to_owned);
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.behind.extend(names);
    cluster.wait(3_000);
    assert_eq!(cluster.serves("a").len(), 4, "all are behind");
}
