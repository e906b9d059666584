//! Where an object ends, and where the fields of its top level are: found in one pass that looks at each byte once.
//!
//! The scan knows strings, brackets, and what stands between them; it does not know numbers or words. So it tells objects
//! apart that are no JSON at all, and what is wrong inside of one need not end the connection. Only what makes the end
//! itself doubtful does: a bracket that closes what it did not open.

use crate::{fault::JsonFault, find::find_mark};

/// Finds the end of one object, in as many pieces as it comes in.
///
/// It keeps what it has found, so no byte is looked at twice, and takes up a fixed number of bytes whatever the peer
/// sends.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    /// How many bytes of the object were looked at.
    pos: usize,
    in_text: bool,
    brackets: Brackets,
    marks: Marks,
}

/// The brackets that are open.
#[derive(Clone, Debug)]
struct Brackets {
    depth: usize,
    /// For each level, whether it is an object: the bit of its depth.
    objects: u128,
    too_deep: bool,
}

/// The colons and commas of an object's top level, from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    at: [u32; MARKS],
    len: usize,
    /// More fields than there are places for.
    pub(crate) crowded: bool,
    /// More than [`MAX_DEPTH`] levels.
    pub(crate) deep: bool,
}

impl Scanner {
    pub(crate) const fn new() -> Self {
        let marks = Marks { at: [0; MARKS], len: 0, crowded: false, deep: false };
        Self { pos: 0, in_text: false, brackets: Brackets::new(), marks }
    }

    /// Whether an object has begun.
    pub(crate) const fn has_begun(&self) -> bool {
        self.pos > 0
    }

    /// The marks of the object that [`scan`](Self::scan) has found, until it is called again.
    pub(crate) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Looks at what `input` has that was not there before; it begins with the same `{` each time, and gives the length of
    /// the object. `None`: the object goes on.
    pub(crate) fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, JsonFault> {
        if self.pos == 0 {
            self.marks.clear();
        }
        let mut pos = self.pos;
        if self.in_text {
            match text_end(input, pos) {
                Ok(end) => pos = end,
                Err(goes_on) => {
                    self.pos = goes_on;
                    return Ok(None);
                }
            }
            self.in_text = false;
        }
        while let Some((at, byte)) = next_mark(input, pos) {
            pos = at + 1;
            if byte == b'"' {
                match text_end(input, pos) {
                    Ok(end) => pos = end,
                    Err(goes_on) => {
                        self.pos = goes_on;
                        self.in_text = true;
                        return Ok(None);
                    }
                }
            } else if byte == b':' || byte == b',' {
                if self.brackets.depth == 1 {
                    self.marks.push(at);
                }
            } else if byte == b'{' || byte == b'[' {
                self.brackets.open(byte == b'{');
            } else {
                self.brackets.close(byte == b'}')?;
                if self.brackets.depth == 0 {
                    self.marks.deep = self.brackets.too_deep;
                    (self.pos, self.brackets) = (0, Brackets::new());
                    return Ok(Some(pos));
                }
            }
        }
        self.pos = input.len();
        Ok(None)
    }
}

impl Brackets {
    const fn new() -> Self {
        Self { depth: 0, objects: 0, too_deep: false }
    }

    fn open(&mut self, object: bool) {
        if self.depth >= MAX_DEPTH {
            self.too_deep = true;
        } else {
            let bit = 1 << self.depth;
            self.objects = if object { self.objects | bit } else { self.objects & !bit };
        }
        self.depth += 1;
    }

    /// Beyond the limit of depth the kinds of brackets are not known any more, nor do they matter: the object is refused.
    fn close(&mut self, object: bool) -> Result<(), JsonFault> {
        let fits = match self.depth.checked_sub(1) {
            None => false,
            Some(level) => level >= MAX_DEPTH || (self.objects >> level & 1 == 1) == object,
        };
        if !fits {
            return Err(JsonFault::Bracket { found: if object { '}' } else { ']' } });
        }
        self.depth -= 1;
        Ok(())
    }
}

impl Marks {
    const fn clear(&mut self) {
        self.len = 0;
        self.crowded = false;
        self.deep = false;
    }

    fn push(&mut self, at: usize) {
        match (self.at.get_mut(self.len), u32::try_from(at)) {
            (Some(place), Ok(at)) => {
                *place = at;
                self.len += 1;
            }
            _ => self.crowded = true,
        }
    }

    /// Where they are, from left to right.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.at.iter().take(self.len).filter_map(|at| usize::try_from(*at).ok())
    }
}

/// The next byte from `pos` on that means something outside of texts: a quote, a bracket, a colon, a comma.
#[inline]
pub(super) fn next_mark(input: &[u8], pos: usize) -> Option<(usize, u8)> {
    let rest = input.get(pos..)?;
    // Digits, letters and what else is no mark are most of it, so they are told apart by one look at a table.
    for (skipped, byte) in rest.iter().enumerate() {
        if STRUCTURAL.get(usize::from(*byte)) == Some(&true) {
            return Some((pos + skipped, *byte));
        }
    }
    None
}

/// Where a text ends in whose inside `pos` is: behind its quote. As an error, if it goes on: from where to look next.
#[inline]
pub(super) fn text_end(input: &[u8], mut pos: usize) -> Result<usize, usize> {
    loop {
        let Some(rest) = input.get(pos..) else { return Err(input.len()) };
        let Some(skipped) = find_mark(rest) else { return Err(input.len()) };
        pos += skipped;
        if rest.get(skipped) == Some(&b'"') {
            return Ok(pos + 1);
        }
        // A backslash, and what it escapes.
        if skipped + 1 >= rest.len() {
            return Err(pos);
        }
        pos += 2;
    }
}

#[expect(clippy::indexing_slicing, reason = "by the compiler, and with constants")]
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'{' as usize] = true;
    table[b'}' as usize] = true;
    table[b'[' as usize] = true;
    table[b']' as usize] = true;
    table[b':' as usize] = true;
    table[b',' as usize] = true;
    table
};

/// Most levels of an object, itself included.
pub(crate) const MAX_DEPTH: usize = 128;

/// Most fields of an object's top level.
pub(crate) const MAX_FIELDS: usize = 16;

/// Each field has a colon, and all but one a comma.
const MARKS: usize = 2 * MAX_FIELDS - 1;

#[cfg(test)]
mod tests {
    use super::*;

    struct Found {
        len: usize,
        marks: Marks,
    }

    fn whole(text: &str) -> Option<Found> {
        let mut scanner = Scanner::new();
        let len = scanner.scan(text.as_bytes()).unwrap()?;
        Some(Found { len, marks: scanner.marks().clone() })
    }

    fn check_len(text: &str, expected: Option<usize>) {
        assert_eq!(whole(text).map(|found| found.len), expected, "{text}");
        // In any two pieces, and byte by byte, the same is found.
        for cut in 0..=text.len() {
            let mut scanner = Scanner::new();
            let first = scanner.scan(text.get(..cut).unwrap_or("").as_bytes()).unwrap();
            let found = first.or_else(|| scanner.scan(text.as_bytes()).unwrap());
            assert_eq!(found, expected, "{text} cut at {cut}");
        }
        let mut scanner = Scanner::new();
        let found = (0..=text.len()).find_map(|end| scanner.scan(text.get(..end).unwrap_or("").as_bytes()).unwrap());
        assert_eq!(found, expected, "{text} byte by byte");
    }

    #[test]
    fn objects_end_where_they_end() {
        check_len("{}", Some(2));
        check_len("{}{}", Some(2));
        check_len(r#"{"a":"}"}"#, Some(9));
        check_len(r#"{"a":"\"}"}x"#, Some(11));
        check_len(r#"{"a":"\\"}"#, Some(10));
        check_len(r#"{"a":[{"b":[]},{}],"c":"a text of more than eight bytes"} "#, Some(57));
        check_len(r#"{"a""#, None);
        check_len(r#"{"a":"\"#, None);
        check_len("", None);
    }

    #[test]
    fn the_marks_are_those_of_the_top_level() {
        let found = whole(r#"{"a":{"x":1,"y":[1,2]},"b:,":",:"}"#).unwrap();
        assert_eq!(found.marks.positions().collect::<Vec<_>>(), [4, 22, 28]);
    }

    #[test]
    fn brackets_that_do_not_fit_end_the_search() {
        for text in [r#"{"a":[}"#, r#"{"a":{]"#, r#"{]"#] {
            assert!(matches!(Scanner::new().scan(text.as_bytes()), Err(JsonFault::Bracket { .. })), "{text}");
        }
    }

    #[test]
    fn the_end_of_what_is_too_deep_is_still_found() {
        for (levels, deep) in [(MAX_DEPTH, false), (MAX_DEPTH + 1, true), (100_000, true)] {
            let text = format!("{}1{}", r#"{"":"#.repeat(levels), "}".repeat(levels));
            let found = whole(&text).unwrap();
            assert_eq!((found.len, found.marks.deep), (text.len(), deep));
        }
    }

    #[test]
    fn fields_are_counted() {
        for (fields, crowded) in [(MAX_FIELDS, false), (MAX_FIELDS + 1, true), (1000, true)] {
            let fields: Vec<String> = (0..fields).map(|n| format!(r#""{n}":0"#)).collect();
            let found = whole(&format!("{{{}}}", fields.join(","))).unwrap();
            assert_eq!(found.marks.crowded, crowded);
        }
    }
}
