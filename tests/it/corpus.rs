//! What fuzzing found worth keeping, tried again with the ordinary toolchain: the same properties, over `fuzz/corpus`.

#[allow(unreachable_pub)]
#[path = "../../fuzz/src/lib.rs"]
mod properties;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Tries every file kept for a target; names those for which the property does not hold.
fn try_all(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut failed = Vec::new();
    let mut tried = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if catch_unwind(|| holds(&bytes)).is_err() {
            failed.push(path);
        }
        tried += 1;
    }
    assert!(0 < tried, "nothing is kept in {}", folder.display());
    assert!(failed.is_empty(), "it does not hold for {failed:?}");
}

#[test]
fn no_activity_stops_the_decoder_or_speaks_for_another_host() {
    try_all("decode", properties::decode::holds);
}

#[test]
fn what_the_door_takes_is_taken_behind_it() {
    try_all("lines", properties::lines::holds);
}

#[test]
fn no_html_that_is_shown_runs_or_changes_the_page_around_it() {
    try_all("html", properties::html::holds);
}

#[test]
fn a_cursor_that_is_taken_is_the_one_that_was_given() {
    try_all("cursor", properties::cursor::holds);
}

#[test]
fn a_damaged_log_says_what_was_written_or_that_it_is_damaged() {
    try_all("recovery", properties::recovery::holds);
}

#[test]
fn a_configuration_is_understood_or_its_mistakes_are_said() {
    try_all("configuration", properties::configuration::holds);
}
