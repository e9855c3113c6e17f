//! What differs between the shapes. That the service understands them is for its own tests to show.

use super::*;

const ALL: [Shape; 5] = [
    Shape::Plain,
    Shape::Mastodon,
    Shape::Misskey,
    Shape::Bridge,
    Shape::Threads,
];

fn note(published: i64) -> Note<'static> {
    Note {
        uri: "https://h.example/posts/1",
        actor: "https://h.example/users/1",
        text: "tide",
        published: Some(published),
        to: vec![PUBLIC.to_owned()],
        ..Note::default()
    }
}

#[test]
fn each_shape_spells_a_time_in_its_own_way() {
    for (shape, whole, odd) in [
        (
            Shape::Plain,
            "1970-01-01T00:00:05Z",
            "1970-01-01T00:00:05.020Z",
        ),
        (
            Shape::Mastodon,
            "1970-01-01T00:00:05Z",
            "1970-01-01T00:00:05.020Z",
        ),
        (
            Shape::Misskey,
            "1970-01-01T00:00:05.000Z",
            "1970-01-01T00:00:05.020Z",
        ),
        (
            Shape::Bridge,
            "1970-01-01T00:00:05.000Z",
            "1970-01-01T00:00:05.020Z",
        ),
        (
            Shape::Threads,
            "1970-01-01T00:00:05+0000",
            "1970-01-01T00:00:05.020+0000",
        ),
    ] {
        for (ms, text) in [(5_000, whole), (5_020, odd)] {
            let create = shape.create(&note(ms));
            assert_eq!(create["published"], text, "{shape:?}");
            assert_eq!(create["object"]["published"], text, "{shape:?}");
        }
    }
}

#[test]
fn what_a_post_says_is_in_each_shape() {
    let note = Note {
        updated: Some(7_000),
        mentions: vec!["https://h.example/users/2".to_owned()],
        hashtags: vec!["sea".to_owned()],
        cc: vec!["https://h.example/users/2".to_owned()],
        parent: Some("https://h.example/posts/0"),
        ..note(5_000)
    };
    for shape in ALL {
        let update = shape.update(&note);
        let object = &update["object"];
        assert_eq!(update["type"], "Update");
        assert_eq!(object, &shape.object(&note), "{shape:?}");
        assert_eq!(object["content"], "<p>tide</p>");
        assert_eq!(object["inReplyTo"], "https://h.example/posts/0");
        assert_eq!(object["tag"][0]["href"], "https://h.example/users/2");
        assert_eq!(object["tag"][1]["name"], "#sea");
        assert!(object["updated"].is_string());
        let is_array = shape != Shape::Bridge;
        for key in ["to", "cc"] {
            assert_eq!(object[key].is_array(), is_array, "{shape:?}");
            assert_eq!(object[key], update[key], "{shape:?}");
        }
    }
}
