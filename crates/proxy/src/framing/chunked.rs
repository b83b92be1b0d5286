//! A chunked body, followed byte by byte where it is structure and in strides where it is data.

use super::Violation;

/// Sizes above this many digits overflow (H-09).
const SIZE_DIGITS: u32 = 15;
/// Extensions and trailers together; nobody sends any.
const EXTRA_LIMIT: usize = 4096;

/// Where in a chunked body we are.
#[derive(Default)]
pub struct Chunked {
    state: State,
    extra: usize,
}

#[derive(Default)]
enum State {
    #[default]
    SizeStart,
    Size {
        size: u64,
        digits: u32,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data(u64),
    DataReturn,
    DataEnd,
    /// Trailer lines; `line` counts the bytes of the current one.
    Trailer {
        line: usize,
    },
    TrailerEnd {
        line: usize,
    },
}

impl Chunked {
    /// How many bytes of the start of `bytes` belong to the body, and whether it ends with them.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), Violation> {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data(left) = &mut self.state {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                *left -= step as u64;
                at += step;
                if *left == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            let done = self.byte(bytes[at])?;
            at += 1;
            if done {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn byte(&mut self, byte: u8) -> Result<bool, Violation> {
        let bad = |what| Err(Violation::framing(what));
        self.state = match (&self.state, byte) {
            (State::SizeStart, _) => match digit(byte) {
                Some(value) => State::Size { size: value, digits: 1 },
                None => return bad("a chunk without a size"),
            },
            (State::Size { size, .. } | State::Extension { size }, b'\r') => State::SizeEnd { size: *size },
            (State::Size { size, .. }, b';') => State::Extension { size: *size },
            (State::Size { size, digits }, _) => match digit(byte) {
                Some(value) if *digits < SIZE_DIGITS => State::Size { size: size << 4 | value, digits: digits + 1 },
                _ => return bad("a chunk size that is not a plain hexadecimal number"),
            },
            (State::Extension { size }, _) => {
                self.extra += 1;
                if self.extra > EXTRA_LIMIT || byte < 0x20 && byte != b'\t' || byte >= 0x7f {
                    return bad("a chunk extension that is too long or not plain text");
                }
                State::Extension { size: *size }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailer { line: 0 },
            (State::SizeEnd { size }, b'\n') => State::Data(*size),
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::SizeStart,
            (State::Trailer { line }, b'\r') => State::TrailerEnd { line: *line },
            (State::Trailer { line }, _) => {
                self.extra += 1;
                if self.extra > EXTRA_LIMIT || byte < 0x20 && byte != b'\t' || byte >= 0x7f {
                    return bad("a trailer that is too long or not plain text");
                }
                State::Trailer { line: line + 1 }
            }
            (State::TrailerEnd { line: 0 }, b'\n') => return Ok(true),
            (State::TrailerEnd { .. }, b'\n') => State::Trailer { line: 0 },
            _ => return bad("a chunk that does not end where its size says"),
        };
        Ok(false)
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
