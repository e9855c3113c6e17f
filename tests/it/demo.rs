//! The demo as a newcomer meets it, but for the terminal: the real binary, its lines, its address, its end.

use crate::desk::Browser;
use crate::support::wait_for;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here takes, on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn it_shows_both_columns_serves_the_feed_in_order_and_leaves_nothing() {
    let mut demo = Demo::start(&["--seconds", "6"]);
    demo.wait_for("By arrival (what servers do today)");
    assert!(demo.last().contains("In order (Slackwater)"));
    demo.wait_for("0 of the newest 80 out of order");
    let ids = demo.ids();
    assert_eq!(ids.len(), 80, "there is a page to read at once");
    assert!(ids.is_sorted_by(|above, below| above > below));
    demo.wait_for("arrived:");
    demo.wait_for("late +");
    demo.wait_for("Ended: its time was over.");
    assert!(demo.last().contains(" in the feed."), "{}", demo.last());
    assert!(demo.last().contains(", 0 of "), "{}", demo.last());
    demo.has_ended_well();
}

#[test]
fn ctrl_c_ends_it_cleanly() {
    ends_cleanly_by("INT");
}

#[test]
fn being_told_to_stop_ends_it_cleanly() {
    ends_cleanly_by("TERM");
}

/// A failure means that somebody who starts it looks at nothing, and does not know where to look.
#[test]
fn it_says_where_to_look_first_and_shows_a_whole_picture_before_anything_else_arrives() {
    for seed in ["1", "2", "3", "4"] {
        let mut demo = Demo::start(&["--seed", seed]);
        demo.wait_for("0 of the newest 80 out of order");
        let seen = demo.seen.join("\n");
        let places = [
            "Look at it:  http://127.0.0.1:",
            "Patience",
            "Read it:  curl ",
            "0 of the newest 80",
        ];
        let found: Vec<usize> = places.iter().map(|it| seen.find(it).unwrap()).collect();
        assert!(found.is_sorted(), "{seen}");
        demo.signal("INT");
        demo.wait_for("Ended.");
        demo.has_ended_well();
    }
}

/// A failure means that what the page tells of the demo is not so: nobody without patience waits, and who has some waits for the origin
/// that holds posts back only if they follow it.
#[test]
fn its_accounts_have_the_patience_that_their_names_say() {
    let mut demo = Demo::start(&[]);
    demo.wait_for("In order (Slackwater)");
    let get = |path: &str| -> Value {
        let base = demo.url.split("/v1/").next().unwrap();
        let answer = reqwest::blocking::get(format!("{base}{path}")).unwrap();
        answer.error_for_status().unwrap().json().unwrap()
    };
    let accounts = get("/v1/accounts");
    let named = |it: &Value| (it["account"].clone(), it["patience"].clone());
    let named: Vec<_> = accounts["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(named)
        .collect();
    let wanted = [
        ("demo", "0s"),
        ("demo-patient-30s", "30s"),
        ("demo-patient-30s-without-threads-like", "30s"),
    ];
    assert_eq!(
        named,
        wanted.map(|(account, patience)| (json!(account), json!(patience)))
    );
    let held_by = |account: &str| {
        get(&format!(
            "/v1/accounts/{account}/feeds/home/preview?limit=1"
        ))["held_by"]
            .clone()
    };
    assert_eq!(held_by("demo"), json!([]));
    assert_eq!(
        held_by("demo-patient-30s"),
        json!([{"origin": "threads-like.example", "wait": "21s"}])
    );
    let without = held_by("demo-patient-30s-without-threads-like");
    assert_eq!(
        without,
        json!([{"origin": "bridge.example", "wait": "12s"}])
    );
    demo.signal("INT");
    demo.wait_for("Ended.");
    demo.has_ended_well();
}

/// What the page says to paste works: the file is the real one.
#[test]
fn a_window_that_is_saved_in_its_settings_is_in_force() {
    let mut demo = Demo::start(&[]);
    demo.wait_for("In order (Slackwater)");
    let window = || {
        let base = demo.url.split("/v1/").next().unwrap();
        let path = format!("{base}/v1/origins/slow.example");
        let origin: Value = reqwest::blocking::get(path).ok()?.json().ok()?;
        origin["reorder_window_ms"].as_i64()
    };
    assert_eq!(window(), Some(2_000));
    let file = demo.folder.join("slackwater.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let lines = "[ordering.origin.\"slow.example\"]\nreorder_window = \"9s\"\n";
    std::fs::write(&file, format!("{settings}{lines}")).unwrap();
    wait_for("the window that was saved", || {
        (window() == Some(9_000)).then_some(())
    });
    demo.signal("INT");
    demo.wait_for("Ended.");
    demo.has_ended_well();
}

/// A failure means that the page tells a newcomer of something that is not to be seen.
#[test]
fn its_page_says_what_is_to_be_seen_and_it_is() {
    let mut demo = Demo::start(&[]);
    demo.wait_for("In order (Slackwater)");
    let base = demo.url.split("/v1/").next().unwrap().to_owned();
    let client = Browser::start(&base, "", "demo");
    assert_eq!(client.said("steps"), 4);
    assert_eq!(client.said("turned"), "30 s");
    let names = client.said("names");
    let names = names.as_array().unwrap();
    assert!(!names.is_empty());
    for name in names {
        let name = name.as_str().unwrap();
        let person = name.split('@').next().unwrap();
        assert!(person.chars().all(|c| c.is_ascii_lowercase()), "{name}");
    }
    assert_eq!(client.said("faults"), json!([]));
    assert_eq!(client.said("narrow"), json!([400, 400]));
    let window = client.said("window");
    assert!(
        window.as_str().unwrap().starts_with("Finds 100 %: "),
        "{window}"
    );
    assert_eq!(client.said("plain"), 0);
    client.ends_clean();
    demo.signal("INT");
    demo.wait_for("Ended.");
    demo.has_ended_well();
}

/// From its first line on, which is before its feed is filled, and at any moment after.
#[test]
fn ctrl_c_at_any_phase_ends_it_cleanly() {
    for phase in [
        "Slackwater demo",
        "Read it:",
        "Ctrl-C ends it",
        "By arrival",
        "arrived:",
    ] {
        for signal in ["INT", "TERM", "HUP"] {
            let mut demo = Demo::begin(&[]);
            demo.wait_for(phase);
            demo.signal(signal);
            demo.wait_for("Ended.");
            let line = demo.last().to_owned();
            assert!(line.ends_with(" is removed."), "{line}");
            let folder = line.split_whitespace().rev().nth(2).unwrap();
            assert!(!Path::new(folder).exists(), "{folder}");
            assert!(demo.ended().success(), "{phase} {signal}");
        }
    }
}

/// A terminal of so many columns and rows, in which the demo runs; what was written to it, and the folder of a program that notes what a
/// browser is asked to open.
fn in_a_terminal(columns: u16, more: &str) -> (String, TempDir) {
    let programs = TempDir::new().unwrap();
    let opener = programs.path().join("xdg-open");
    let note = programs.path().join("opened");
    std::fs::write(
        &opener,
        format!(
            "#!/bin/sh\necho \"$1\" > {}.part\nmv {0}.part {0}\n",
            note.display()
        ),
    )
    .unwrap();
    std::fs::set_permissions(&opener, Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        std::env::var("PATH").unwrap()
    );
    let demo = format!(
        "stty cols {columns} rows 24; exec {} demo --listen 127.0.0.1:0 --seconds 2 {more}",
        env!("CARGO_BIN_EXE_slackwater")
    );
    let ran = Command::new("script")
        .args(["--quiet", "--return", "--command", &demo, "/dev/null"])
        .env("PATH", path)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}");
    (said, programs)
}

/// A failure means that rows wrap, and the picture falls apart.
#[test]
fn a_narrow_terminal_is_drawn_on_within_its_width() {
    let (said, _) = in_a_terminal(34, "--no-open");
    let pictures = said.split("\x1b[H").skip(1);
    let pictures: Vec<&str> = pictures
        .filter_map(|it| it.split("\x1b[J").next())
        .collect();
    assert!(!pictures.is_empty(), "{said:?}");
    for row in pictures.iter().flat_map(|picture| picture.split("\r\n")) {
        let width = console::measure_text_width(row.trim_end_matches('\r'));
        assert!(width <= 34, "{width}: {row:?}");
    }
    assert!(said.contains("In order (Slackwater)"), "{said}");
    assert!(
        !said.contains("By arrival (what"),
        "there is room for one column"
    );
}

/// A failure means that a browser opens where nobody sits before it, or none where somebody does.
#[test]
fn a_browser_is_opened_on_the_page_from_a_terminal_unless_it_is_forbidden() {
    let (_, programs) = in_a_terminal(100, "");
    let opened = wait_for("a browser to be asked", || {
        std::fs::read_to_string(programs.path().join("opened")).ok()
    });
    assert!(
        opened.trim_end().ends_with("/?demo#/feeds/demo"),
        "{opened}"
    );
    let (_, programs) = in_a_terminal(100, "--no-open");
    assert!(!programs.path().join("opened").exists());
}

fn ends_cleanly_by(signal: &str) {
    let mut demo = Demo::start(&[]);
    demo.wait_for("arrived:");
    demo.signal(signal);
    demo.wait_for("Ended.");
    demo.has_ended_well();
}

#[test]
fn it_listens_where_only_this_machine_can_reach_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_slackwater"))
        .args(["demo", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("loopback"), "{said}");
}

struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    url: String,
    folder: PathBuf,
}

impl Demo {
    /// One whose address and folder are known.
    fn start(more: &[&str]) -> Demo {
        let mut demo = Demo::begin(more);
        demo.wait_for("Read it:  curl ");
        demo.url = demo.last_word();
        demo.wait_for("Temporary folder:  ");
        demo.folder = PathBuf::from(demo.last_word());
        assert!(demo.folder.join("log").is_dir());
        demo
    }

    fn begin(more: &[&str]) -> Demo {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Demo {
            child,
            lines,
            seen: Vec::new(),
            url: String::new(),
            folder: PathBuf::new(),
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Reads on until a line has `text`.
    fn wait_for(&mut self, text: &str) {
        let until = now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until - now()) {
                Ok(line) => self.seen.push(line),
                Err(why @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    panic!("{why} before {text:?}, after:\n{}", self.seen.join("\n"))
                }
            }
            if self.last().contains(text) {
                return;
            }
        }
    }

    fn last(&self) -> &str {
        self.seen.last().unwrap()
    }

    fn last_word(&self) -> String {
        self.last().split_whitespace().last().unwrap().to_owned()
    }

    /// The ids of the feed's newest entries, from the address it printed.
    fn ids(&self) -> Vec<u64> {
        let answer = reqwest::blocking::get(format!("{}?limit=80", self.url)).unwrap();
        let page: serde_json::Value = answer.error_for_status().unwrap().json().unwrap();
        let entries = page["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["id"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    fn has_ended_well(mut self) {
        assert!(self.ended().success());
        assert!(!Path::new(&self.folder).exists(), "it removes its folder");
    }

    /// Its lines end when it does, so that waiting for it takes no time.
    fn ended(&mut self) -> ExitStatus {
        let until = now() + DEADLINE;
        while self.lines.recv_timeout(until - now()).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a failed test; else it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
