//! The frames of a websocket (RFC 6455, section 5.2), as far as it takes to know where one ends.

/// The operation of a close frame.
const CLOSE: u8 = 0x8;

/// Where in the frames that a server sends a copy of its bytes has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    state: State,
    /// Whether the head of a close frame has passed.
    has_closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two frames.
    #[default]
    Between,
    /// After the first byte of a head.
    Length,
    /// Amid a length of several bytes, or a mask: so many bytes of the head are to come, and the length as far as it is known. `mask` are
    /// the bytes behind the length.
    Head { left: u8, length: u64, mask: u8 },
    /// Amid a payload, of which so many bytes are to come.
    Payload(u64),
}

impl Frames {
    /// Bytes passed.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Payload(left) = self.state {
                let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.state = State::of(left - passed as u64);
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            self.state = match self.state {
                State::Between => {
                    self.has_closed |= byte & 0xF == CLOSE;
                    State::Length
                }
                State::Length => {
                    // No server masks (section 5.1), but a mask moves the end.
                    let mask = if byte & 0x80 == 0 { 0 } else { 4 };
                    match byte & 0x7F {
                        126 => State::head(2, 0, mask),
                        127 => State::head(8, 0, mask),
                        length => State::head(0, length.into(), mask),
                    }
                }
                State::Head { left, length, mask } if mask < left => {
                    State::head(left - mask - 1, length << 8 | u64::from(byte), mask)
                }
                State::Head { left, length, .. } => State::after_mask(left - 1, length),
                State::Payload(left) => State::Payload(left),
            };
            bytes = rest;
        }
    }

    /// Whether another frame may come here.
    pub(super) fn is_between(&self) -> bool {
        self.state == State::Between
    }

    /// Whether the server has closed the websocket: nothing may follow.
    pub(super) fn has_closed(&self) -> bool {
        self.has_closed
    }
}

impl State {
    /// Amid a head, of whose length so many bytes are to come.
    fn head(of_length: u8, length: u64, mask: u8) -> State {
        match of_length + mask {
            0 => State::of(length),
            left => State::Head { left, length, mask },
        }
    }

    fn after_mask(left: u8, length: u64) -> State {
        match left {
            0 => State::of(length),
            left => State::Head {
                left,
                length,
                mask: left,
            },
        }
    }

    /// Before so many bytes of a payload.
    fn of(length: u64) -> State {
        match length {
            0 => State::Between,
            length => State::Payload(length),
        }
    }
}

/// A close frame of a server.
pub(super) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    // A control frame has up to 125 bytes, two of which are the code.
    let reason = reason.get(..reason.len().min(123)).unwrap_or_default();
    let length = u8::try_from(2 + reason.len()).unwrap_or(2);
    let mut frame = vec![0x80 | CLOSE, length];
    frame.extend(code.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    fn frame(bytes: usize, is_final: bool, is_masked: bool) -> Vec<u8> {
        let kind = OpCode::Data(Data::Text);
        let mut frame = Frame::message(vec![b'x'; bytes], kind, is_final);
        if is_masked {
            frame.header_mut().mask = Some([1, 2, 3, 4]);
        }
        let mut written = Vec::new();
        frame.format(&mut written).unwrap();
        written
    }

    /// A failure means that a client is sent a close frame amid another frame, or none where one may be.
    #[test]
    fn the_end_of_a_frame_is_known_however_its_bytes_come() {
        for bytes in [0, 1, 125, 126, 200, 65_535, 65_536, 70_000] {
            for (is_final, is_masked) in [(true, false), (false, false), (true, true)] {
                let text = frame(bytes, is_final, is_masked);
                for at_once in [1, 2, 3, 7, 1_000, usize::MAX] {
                    let mut frames = Frames::default();
                    let mut passed = 0;
                    for part in text.chunks(at_once.min(text.len())) {
                        assert_eq!(frames.is_between(), passed == 0, "{bytes} after {passed}");
                        frames.pass(part);
                        passed += part.len();
                    }
                    assert!(frames.is_between(), "{bytes} {at_once} {is_masked}");
                    assert!(!frames.has_closed());
                }
                let mut twice = Frames::default();
                twice.pass(&[text.clone(), text].concat());
                assert!(twice.is_between());
            }
        }
    }

    #[test]
    fn a_close_frame_is_one_and_is_known() {
        let written = close_frame(1012, "the service is stopping");
        let code = tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: 1012.into(),
            reason: "the service is stopping".into(),
        };
        let mut expected = Vec::new();
        Frame::close(Some(code)).format(&mut expected).unwrap();
        assert_eq!(written, expected);
        let mut frames = Frames::default();
        frames.pass(&written);
        assert!(frames.is_between() && frames.has_closed());
    }
}
