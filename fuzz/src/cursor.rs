//! Cursors, as readers give them back.

use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::seal::{Key, SealedLog};

/// The least length of a text that may be too long for a cursor: both topics in 1,024 partitions, twice, are shorter.
const LONG_BYTES: usize = 100_000;

/// A failure means that a reader can stop the service, or is told that a text is a cursor that is another one.
pub fn holds(data: &[u8]) {
    let unsealed = SealedLog::new(0);
    let sealed = unsealed.clone().sealed_with(Some(Key::of(b"secret")));
    holds_in(data, &unsealed);
    holds_in(data, &sealed);
}

fn holds_in(data: &[u8], log: &SealedLog) {
    // Any text.
    if let Ok(text) = str::from_utf8(data)
        && let Ok(cursor) = Cursor::parse(text, log)
    {
        assert_eq!(cursor.to_text(), text, "two texts of one cursor");
    }
    // Any cursor; and the same with one sign of its text changed.
    let Ok((mut cursor, rest)) = postcard::take_from_bytes::<Cursor>(data) else {
        return;
    };
    cursor.log = log.of(&cursor.log);
    let text = cursor.to_text();
    match Cursor::parse(&text, log) {
        // Compared as it is written: what says nothing is left out there.
        Ok(again) => assert_eq!(again.to_text(), text),
        Err(error) => assert!(
            LONG_BYTES <= text.len(),
            "{error}, of a cursor we wrote: {text}"
        ),
    }
    let Some((at, sign)) = rest.first().zip(rest.get(1)) else {
        return;
    };
    let mut changed = text.clone().into_bytes();
    let at = usize::from(*at) * changed.len() / 256;
    changed[at] = *sign;
    if let Ok(changed) = str::from_utf8(&changed)
        && changed != text
    {
        assert!(
            Cursor::parse(changed, log).is_err(),
            "a changed cursor is taken: {changed}"
        );
    }
}
