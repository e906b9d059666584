//! Lines that are piped in: bounded, and one that cannot be read does not spoil those behind it.

use std::io::{self, BufRead};

use crate::exit::Failure;

/// Reads lines of at most [`MAX_LINE`] bytes. What stands behind the last line's end is a line, too.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// The line is too long or no UTF-8, which names it, and the next one can be read; or the input cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<String, Failure>>> {
        self.number += 1;
        let (mut line, mut len, mut ended) = (Vec::new(), 0_usize, false);
        while !ended {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                if len == 0 {
                    return Ok(None);
                }
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            len = len.saturating_add(taken);
            if len <= MAX_LINE {
                line.extend_from_slice(&buffer[..taken]);
            }
            ended = end.is_some();
            self.reader.consume(taken);
        }
        let number = self.number;
        if len > MAX_LINE {
            return Ok(Some(Err(Failure::usage(format_args!("line {number} is longer than {MAX_LINE} bytes")))));
        }
        let text = String::from_utf8(line).map_err(|error| {
            let at = error.utf8_error().valid_up_to() + 1;
            Failure::usage(format_args!("line {number} is no UTF-8, from byte {at} on"))
        });
        Ok(Some(text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned())))
    }
}

/// The longest line.
const MAX_LINE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(input: &[u8]) -> Vec<Result<String, String>> {
        // A small buffer, so that lines come in pieces.
        let mut lines = Lines::new(BufReader::with_capacity(7, input));
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("bytes in memory can be read") {
            all.push(line.map_err(|failure| failure.message));
        }
        all
    }

    #[test]
    fn half_a_line_at_the_end_counts() {
        assert_eq!(read(b"one\r\n\ntwo words\nthr"), ["one", "", "two words", "thr"].map(|line| Ok(line.to_owned())));
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_the_next_one_is_read() {
        let mut input = b"ab\xffc\n".to_vec();
        input.extend_from_slice(&vec![b'x'; MAX_LINE * 3]);
        input.extend_from_slice(b"\nlast");
        let lines = read(&input);
        assert_eq!(lines[0], Err("line 1 is no UTF-8, from byte 3 on".to_owned()));
        assert_eq!(lines[1], Err(format!("line 2 is longer than {MAX_LINE} bytes")));
        assert_eq!(lines[2..], [Ok("last".to_owned())]);
        let mut longest = vec![b'x'; MAX_LINE - 1];
        longest.push(b'\n');
        assert_eq!(read(&longest)[0].as_ref().map(String::len), Ok(MAX_LINE - 1));
    }
}
