//! The two topics interleaved any way: what an account wants, and the posts it concerns.

use super::super::scenario::*;
use super::*;

#[test]
fn a_follow_and_its_end_among_posts_of_both_kinds() {
    check(
        &["follow 1"],
        &[
            &[post(0, 0), reply(0, 1, (1, 0))],
            &[post(1, 0), reply(1, 2, (0, 0))],
            &[wish("follow 0")],
        ],
        "0/0 1/0 0/1 1/2",
    );
    check(
        &["follow 0", "follow 1"],
        &[
            &[post(0, 0), reply(0, 1, (1, 0))],
            &[post(1, 0), reply(1, 2, (0, 0))],
            &[wish("end follow 0")],
        ],
        "1/0",
    );
}

#[test]
fn a_mute_a_block_and_a_domain_block_among_posts_and_their_ends() {
    for kind in ["mute 2", "block 2", "domain_block host2.example"] {
        let (on, off) = (wish(kind), wish(&format!("end {kind}")));
        let posts: [&[Line]; 2] = [&[post(2, 0)], &[boosts(0, 1, (2, 0)), post(0, 2)]];
        let follows = ["follow 0", "follow 2"];
        check(
            &follows,
            &[posts[0], posts[1], std::slice::from_ref(&on)],
            "0/2",
        );
        check(&follows, &[posts[0], posts[1], &[on, off]], "2/0 0/1 0/2");
    }
}

#[test]
fn a_block_from_the_other_side_among_posts_and_its_end() {
    let (on, off) = (wish("blocked_by 2"), wish("end blocked_by 2"));
    let posts: [&[Line]; 2] = [&[post(2, 0)], &[boosts(0, 1, (2, 0)), post(0, 2)]];
    let follows = ["follow 0", "follow 2"];
    check(
        &follows,
        &[posts[0], posts[1], std::slice::from_ref(&on)],
        "0/2",
    );
    check(&follows, &[posts[0], posts[1], &[on, off]], "2/0 0/1 0/2");
}

#[test]
fn follow_options_among_posts_and_boosts() {
    let german = writes(0, 0, r#","contentMap":{"de":"Guten Tag"}"#);
    check(
        &["follow 0"],
        &[
            &[post(2, 0)],
            &[german, boosts(0, 1, (2, 0)), post(0, 2)],
            &[wish(r#"follow 0 "boosts":false,"languages":["en"]"#)],
        ],
        "0/2",
    );
}

#[test]
fn a_list_its_members_and_their_replies() {
    check(
        &["follow 0", "follow 1"],
        &[
            &[wish("list friends")],
            &[wish("member friends 0")],
            &[wish("member friends 1")],
            &[post(1, 0)],
            &[reply(0, 1, (1, 0))],
        ],
        "1/0 0/1",
    );
}

#[test]
fn an_exclusive_list_its_member_and_the_end_of_either() {
    let posts = [post(0, 0), reply(0, 1, (0, 0))];
    let list = wish("list close \"exclusive\":true");
    let member = wish("member close 0");
    for (list, member, home) in [
        (vec![list.clone()], vec![member.clone()], ""),
        (
            vec![list.clone(), wish("end list close")],
            vec![member.clone()],
            "0/0 0/1",
        ),
        (
            vec![list],
            vec![member, wish("end member close 0")],
            "0/0 0/1",
        ),
    ] {
        check(&["follow 0"], &[&posts, &list, &member], home);
    }
}

#[test]
fn a_list_that_changes_what_it_shows() {
    let list = |replies| wish(&format!("list friends \"replies\":\"{replies}\""));
    for (one, other) in [("none", "followed"), ("followed", "list"), ("list", "none")] {
        check(
            &["follow 0", "follow 1", "member friends 0"],
            &[
                &[post(1, 0)],
                &[reply(0, 1, (1, 0)), reply(0, 2, (0, 1))],
                &[list(one), list(other)],
            ],
            "1/0 0/1 0/2",
        );
    }
}

#[test]
fn a_tag_followed_and_not_any_more_among_posts_with_it() {
    let posts: [&[Line]; 2] = [&[tagged(0, 0), post(0, 2)], &[tagged(1, 1)]];
    let (on, off) = (wish("tag rust"), wish("end tag rust"));
    check(
        &["follow 0"],
        &[posts[0], posts[1], std::slice::from_ref(&on)],
        "0/0 1/1 0/2",
    );
    check(&["follow 0"], &[posts[0], posts[1], &[on, off]], "0/0 0/2");
}

#[test]
fn a_tag_and_an_author_both_followed_and_either_not_any_more() {
    let (tag, follow) = (wish("tag rust"), wish("follow 0"));
    let posts = [tagged(0, 0), post(0, 1)];
    for (tag, follow, home) in [
        (
            vec![tag.clone()],
            vec![follow.clone(), wish("end follow 0")],
            "0/0",
        ),
        (vec![tag, wish("end tag rust")], vec![follow], "0/0 0/1"),
    ] {
        check(&[], &[&posts, &tag, &follow], home);
    }
}
