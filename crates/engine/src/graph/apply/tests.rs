use super::*;
use crate::graph::FanOutClass;
use crate::relationship::decode;

fn apply(graph: &mut Graph, document: &str) -> Effect {
    graph.apply(&decode(None, Some(document.as_bytes())).unwrap())
}

const ANA: &str = "https://a.example/users/ana";

#[test]
fn a_follow_merges_and_its_end_weeds_and_saying_it_again_does_neither() {
    let mut graph = Graph::default();
    let follow = r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#;
    let first = apply(&mut graph, follow);
    let account = graph.account("7").unwrap();
    assert_eq!(
        (first.new_account, first.merge_in),
        (Some(account), Merge::Author(ANA.into()))
    );
    let again = apply(&mut graph, follow);
    assert_eq!(
        (again.new_account, again.prunes, again.merge_in),
        (None, false, Merge::Nobody)
    );
    assert_eq!(graph.followers(graph.actor(ANA).unwrap()), [account]);
    let end =
        r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","removed":true}"#;
    assert!(apply(&mut graph, end).prunes);
    assert!(!apply(&mut graph, end).prunes);
    assert_eq!(
        (graph.followers(graph.actor(ANA).unwrap()), graph.follows()),
        (&[][..], 0)
    );
}

#[test]
fn boosts_are_aggregated_unless_the_account_says_otherwise() {
    let mut graph = Graph::default();
    let mut check = |more: &str, regroups, aggregates| {
        let document = format!(r#"{{"type":"account","account":"7","actor":"{ANA}"{more}}}"#);
        assert_eq!(
            apply(&mut graph, &document).regroups,
            regroups,
            "{document}"
        );
        let account = graph.account("7").unwrap();
        assert_eq!(graph.get(account).unwrap().aggregates_boosts(), aggregates);
    };
    check("", false, true);
    check(r#","aggregate_boosts":false"#, true, false);
    check(r#","aggregate_boosts":false"#, false, false);
    check(r#","aggregate_boosts":true"#, true, true);
}

#[test]
fn a_mute_that_ends_is_found_when_it_has() {
    let mut graph = Graph::default();
    let mute = r#"{"type":"mute","account":"7","target":"https://a.example/users/ana","until":"2026-12-01T00:00:00Z"}"#;
    assert!(apply(&mut graph, mute).prunes);
    let end = Time::from_millis(1_796_083_200_000);
    assert_eq!(
        graph.ended_mutes(end.minus(std::time::Duration::from_millis(1))),
        []
    );
    let key = Key {
        account: "7".to_owned(),
        kind: Kind::MuteEnd,
        target: "https://a.example/users/ana".to_owned(),
    };
    assert_eq!(graph.ended_mutes(end), [(key, end)]);
    let removal =
        r#"{"type":"mute","account":"7","target":"https://a.example/users/ana","removed":true}"#;
    assert_eq!(apply(&mut graph, removal).merge_in, Merge::Everyone);
    assert_eq!(graph.ended_mutes(end), []);
}

#[test]
fn a_removed_account_keeps_nothing() {
    let mut graph = Graph::default();
    for document in [
        r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#,
        r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","boosts":false}"#,
        r#"{"type":"block","account":"7","target":"https://b.example/users/bob"}"#,
    ] {
        apply(&mut graph, document);
    }
    let account = graph.account("7").unwrap();
    assert_eq!(graph.fan_out_class(account), FanOutClass::Particular);
    let gone = apply(
        &mut graph,
        r#"{"type":"account","account":"7","removed":true}"#,
    );
    assert!(gone.purge);
    assert_eq!(graph.account("7"), None);
    let of = graph.get(account).unwrap();
    assert_eq!(
        (of.actor(), of.follows().len(), of.excludes_anybody()),
        (None, 0, false)
    );
    assert_eq!(graph.fan_out_class(account), FanOutClass::Plain);
    assert_eq!(
        graph.owners(graph.actor("https://me.example/users/me").unwrap()),
        []
    );
}

#[test]
fn a_removal_for_a_stranger_makes_no_account() {
    let mut graph = Graph::default();
    apply(
        &mut graph,
        r#"{"type":"block","account":"9","target":"https://a.example/users/ana","removed":true}"#,
    );
    assert_eq!(graph.accounts(), 0);
}
