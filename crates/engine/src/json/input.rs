//! Text from outside that should be JSON: its length, encoding and depth are checked before it is parsed. Pure.

use crate::record::RECORD_BYTES_MAX;

/// How deep arrays and objects may nest; deeper is refused, since clients' parsers (and ours) count too.
pub(super) const NESTING_MAX: usize = 64;

/// Text that may be JSON: neither too long nor nested too deep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// Without white space around it.
    text: &'a str,
    /// Skipping over a value does not prove that it can be read.
    needs_full_validation: bool,
}

impl<'a> Input<'a> {
    /// The text of a record's value. Errors: why it cannot be one: too long, not UTF-8, nested too deep.
    pub(crate) fn new(value: &'a [u8]) -> Result<Input<'a>, String> {
        if RECORD_BYTES_MAX < value.len() {
            return Err(format!(
                "it has {} bytes: send at most {RECORD_BYTES_MAX}",
                value.len()
            ));
        }
        let text = std::str::from_utf8(value).map_err(|e| {
            format!(
                "it is not UTF-8 after {} bytes: send JSON in UTF-8",
                e.valid_up_to()
            )
        })?;
        if nests_too_deep(value) {
            return Err(format!(
                "it nests deeper than {NESTING_MAX}: send it flatter"
            ));
        }
        Ok(Input {
            text: text.trim_matches([' ', '\t', '\n', '\r']),
            needs_full_validation: may_hide_errors(value),
        })
    }

    /// The text, without white space around it.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    /// Whether each value must be parsed to know that it can be, and not only skipped.
    pub(super) fn needs_full_validation(self) -> bool {
        self.needs_full_validation
    }
}

fn nests_too_deep(json: &[u8]) -> bool {
    // No more brackets in all than may nest: nearly every post, and counted many bytes at a time. `[` and `{` differ in
    // one bit, and 128 of them do not overflow.
    let opened = |chunk: &[u8]| chunk.iter().map(|b| u8::from(b | 0x20 == b'{')).sum::<u8>();
    let opened: usize = json
        .chunks(128)
        .map(|chunk| usize::from(opened(chunk)))
        .sum();
    if opened <= NESTING_MAX {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                if NESTING_MAX < depth {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Whether there may be something in it that `serde_json` skips over but would not read: half a surrogate pair, or a
/// number above 1.8e308 (an exponent of three digits, or 127 digits in a row). It says yes rather too often, which only costs
/// the time to parse all of it instead of skipping.
fn may_hide_errors(json: &[u8]) -> bool {
    let from = |start: usize| json.get(start..).unwrap_or_default().iter();
    // First what all of it begins with, which most posts have none of, and the compiler takes many bytes at a time.
    let begins = from(0).zip(from(1)).fold(0_u8, |found, (a, b)| {
        let escape = u8::from(*a == b'\\') & u8::from(*b == b'u');
        let exponent = u8::from(a.wrapping_sub(b'0') < 10) & u8::from(b | 0x20 == b'e');
        found | escape | exponent
    });
    let fives = from(0).zip(from(1)).zip(from(2)).zip(from(3)).zip(from(4));
    let suspicious = || {
        fives.fold(0_u8, |found, ((((a, b), c), d), e)| {
            let surrogate = (*a == b'\\') & (*b == b'u') & (c | 0x20 == b'd');
            let large = c.is_ascii_digit() & d.is_ascii_digit() & e.is_ascii_digit();
            let exponent = a.is_ascii_digit() & (b | 0x20 == b'e') & ((*c == b'+') | large);
            found | u8::from(surrogate | exponent)
        }) != 0
    };
    let long = |chunk: &[u8]| chunk.len() == 64 && chunk.iter().all(u8::is_ascii_digit);
    (begins != 0 && suspicious()) || json.chunks(64).any(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn nesting_is_counted_outside_of_texts_only() {
        for (json, too_deep) in [
            (nested(NESTING_MAX), false),
            (nested(NESTING_MAX + 1), true),
            (format!("\"{}\"", "[".repeat(1000)), false),
            (format!("\"\\\"{}\"", "[".repeat(1000)), false),
            (format!("\"\\\\\",{}", "[".repeat(65)), true),
            (format!("[{}]", "{},".repeat(1000)), false),
        ] {
            assert_eq!(nests_too_deep(json.as_bytes()), too_deep, "{json}");
        }
    }
}
