//! Bytes to lines, however long and whatever they are.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::fault::Fault;

/// Lines from a reader.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    /// What was read and is no whole line yet.
    held: Vec<u8>,
    /// How much of the line was thrown away, since it is too long.
    thrown: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, held: Vec::new(), thrown: 0, ended: false }
    }

    /// The next line, or why it is none; `None` at the end. What stands behind the last line's end is a line, too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> io::Result<Option<Result<String, Fault>>> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return Ok(Some(self.line(&line[..end])));
            }
            if self.ended {
                let line = std::mem::take(&mut self.held);
                return Ok((!line.is_empty() || self.thrown > 0).then(|| self.line(&line)));
            }
            if self.held.len() > MAX_LINE {
                self.thrown = self.thrown.saturating_add(self.held.len());
                self.held.clear();
            }
            let mut chunk = [0; 4096];
            let len = self.reader.read(&mut chunk).await?;
            self.ended = len == 0;
            self.held.extend(&chunk[..len]);
        }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<String, Fault> {
        let len = std::mem::take(&mut self.thrown).saturating_add(bytes.len());
        if len > MAX_LINE {
            return Err(too_long(len));
        }
        match std::str::from_utf8(bytes) {
            Ok(line) => Ok(line.to_owned()),
            Err(error) => {
                Err(Fault::usage(format!("the line is no UTF-8: byte {} is none of it", error.valid_up_to() + 1)))
            }
        }
    }
}

/// Why a line of so many bytes is not taken.
pub(super) fn too_long(len: usize) -> Fault {
    Fault::usage(format!("a line of {len} bytes is longer than {MAX_LINE}, which is the most"))
}

/// The longest line, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<Result<String, String>> {
        let mut lines = Lines::new(bytes);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.expect("memory can be read") {
            all.push(line.map_err(|fault| fault.to_string()));
        }
        all
    }

    #[tokio::test]
    async fn half_a_line_at_the_end_is_a_line() {
        assert_eq!(lines(b"list\r\n\nstats").await, [Ok("list\r".into()), Ok(String::new()), Ok("stats".into())]);
        assert_eq!(lines(b"").await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_an_error_and_the_next_one_is_read() {
        for len in [MAX_LINE + 1, 1024 * 1024] {
            let mut bytes = vec![b'x'; len];
            bytes.extend(b"\nlist\n");
            let lines = lines(&bytes).await;
            assert!(lines[0].as_ref().is_err_and(|why| why.contains(&format!("{len} bytes"))), "{:?}", lines[0]);
            assert_eq!(lines[1..], [Ok("list".into())]);
        }
        assert_eq!(lines(&vec![b'x'; MAX_LINE]).await.len(), 1);
        assert!(lines(&vec![b'x'; MAX_LINE + 5000]).await[0].is_err());
    }

    #[tokio::test]
    async fn other_bytes_than_text_are_an_error() {
        let lines = lines(b"list \xff\nlist\n").await;
        assert!(lines[0].as_ref().is_err_and(|why| why.contains("byte 6")), "{:?}", lines[0]);
        assert_eq!(lines[1], Ok("list".into()));
    }
}
