//! Posts to collections, and the documents of their authors that name one as their followers, in any order.

use super::super::followers::{addressed, circle, names};
use super::super::scenario::*;
use super::*;

/// Each in a queue of its own.
fn each(lines: &[Line]) -> Vec<&[Line]> {
    lines.chunks(1).collect()
}

#[test]
fn a_document_and_the_posts_it_lets_in_and_puts_out() {
    let lines = [
        names(0, &circle(0, 1)),
        addressed(&circle(0, 1), post(0, 1)),
        private(0, post(0, 2)),
        addressed(&circle(0, 2), post(0, 3)),
        wish("follow 0"),
    ];
    check(&["follow 1"], &each(&lines), "0/1");
}

#[test]
fn two_documents_that_name_two_collections_and_one_that_names_what_was_taken_for_it() {
    let lines = [
        names(0, &circle(0, 1)),
        names(0, &circle(0, 2)),
        names(0, &format!("{}/followers", actor(0))),
        addressed(&circle(0, 2), post(0, 1)),
        private(0, post(0, 2)),
    ];
    check(&["follow 0"], &each(&lines), "0/1 0/2");
}

#[test]
fn a_document_and_boosts_of_what_it_lets_in() {
    let lines = [
        names(0, &circle(0, 1)),
        addressed(&circle(0, 1), post(0, 1)),
        // One's own shows it to those it was sent to, anybody else's to nobody.
        boosts(0, 2, (0, 1)),
        boosts(1, 3, (0, 1)),
        reply(1, 4, (0, 1)),
    ];
    check(&TWO, &each(&lines), "0/1 0/2 1/4");
}

#[test]
fn a_document_of_mallory_that_names_vics_collection() {
    // Both live on one host.
    let (vic, mallory) = (0, 3);
    let lines = [
        names(mallory, &circle(vic, 1)),
        addressed(&circle(vic, 1), post(vic, 1)),
        addressed(&circle(vic, 1), post(mallory, 2)),
        private(vic, post(vic, 3)),
        wish("follow 3"),
    ];
    check(&["follow 0"], &each(&lines), "3/2 0/3");
}

#[test]
fn a_document_and_an_edit_that_says_to_whom() {
    let first = addressed(&circle(0, 1), post(0, 1));
    let edited = addressed(&circle(0, 2), edits(0, 1, Some(1), ""));
    let more = [
        vec![names(0, &circle(0, 2))],
        vec![names(0, &circle(0, 1))],
        vec![wish("follow 0")],
    ];
    let queues = |and: &'static str, more: &[Vec<Line>]| {
        let lines = [vec![first.clone(), edited.clone()]];
        let all: Vec<&[Line]> = lines.iter().chain(more).map(Vec::as_slice).collect();
        check(&["follow 1"], &all, and);
    };
    queues("0/1", &more);
    queues("", &more[1..]);
}

#[test]
fn a_document_and_a_post_that_mentions_me() {
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(ME));
    // Where it is not for followers, it is for me alone.
    let lines = [
        names(0, &circle(0, 1)),
        addressed(&circle(0, 2), writes(0, 1, &mention)),
        private(0, writes(0, 2, &mention)),
        private(0, post(0, 3)),
        wish("member close 0"),
    ];
    check(&["follow 0", "list close"], &each(&lines), "0/1 0/2");
}

#[test]
fn a_document_and_the_end_of_what_it_let_in_and_of_its_author() {
    let lines = [
        names(0, &circle(0, 1)),
        addressed(&circle(0, 1), post(0, 1)),
        addressed(&circle(0, 1), post(0, 2)),
        deletes(0, 1),
        post(1, 3),
    ];
    check(&TWO, &each(&lines), "0/2 1/3");
    let mut gone = lines;
    gone[3] = leaves(0);
    check(&TWO, &each(&gone), "1/3");
}
