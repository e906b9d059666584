//! Text put together while the compiler evaluates constants, for errors that name types and packets.

/// A short text built by `const fn`s. A part that does not fit any more is left out.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    buf: [u8; CAPACITY],
    len: usize,
}

impl Words {
    /// The empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self { buf: [0; CAPACITY], len: 0 }
    }

    /// This text followed by `part`.
    #[must_use]
    pub const fn add(mut self, part: &str) -> Self {
        let bytes = part.as_bytes();
        // A part that does not fit is left out as a whole: half a character would not be text.
        if self.len + bytes.len() <= CAPACITY {
            let mut i = 0;
            while i < bytes.len() {
                self.buf[self.len] = bytes[i];
                self.len += 1;
                i += 1;
            }
        }
        self
    }

    /// The text so far.
    #[must_use]
    pub const fn get(&self) -> &str {
        match str::from_utf8(self.buf.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether two texts are equal, in constants.
#[must_use]
pub const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether `a` sorts before `b` byte by byte, in constants.
#[must_use]
pub const fn before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

const CAPACITY: usize = 4096;
