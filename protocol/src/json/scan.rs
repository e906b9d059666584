//! Where an object ends, and where the fields of its top level are: found in one pass that looks at each byte once.
//!
//! The scan knows strings, brackets, and what stands between them; it does not know numbers or words. So it tells objects
//! apart that are no JSON at all, and what is wrong inside of one need not end the connection. Only what makes the end
//! itself doubtful does: a bracket that closes what it did not open.

use super::JsonFault;

/// Finds the end of one object, in as many pieces as it comes in.
///
/// It keeps what it has found, so no byte is looked at twice, and takes up a fixed number of bytes whatever the peer
/// sends.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    /// How many bytes of the object were looked at.
    pos: usize,
    in_text: bool,
    depth: usize,
    /// For each level that is open, whether it is an object: the bit of its depth.
    objects: u128,
    marks: Marks,
}

/// The colons and commas of an object's top level, from left to right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    at: [u32; MARKS],
    len: usize,
    /// More fields than there are places for.
    pub(crate) crowded: bool,
    /// More than [`MAX_DEPTH`] levels.
    pub(crate) deep: bool,
}

/// What is known about an object whose end was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    pub(crate) len: usize,
    pub(crate) marks: Marks,
}

impl Scanner {
    pub(crate) const fn new() -> Self {
        let marks = Marks { at: [0; MARKS], len: 0, crowded: false, deep: false };
        Self { pos: 0, in_text: false, depth: 0, objects: 0, marks }
    }

    /// Whether an object has begun.
    pub(crate) const fn has_begun(&self) -> bool {
        self.pos > 0
    }

    /// Looks at what `input` has that was not there before; it begins with the same `{` each time. `None`: the object
    /// goes on. The scanner is new again when an object was found.
    pub(crate) fn scan(&mut self, input: &[u8]) -> Result<Option<Scanned>, JsonFault> {
        let (mut pos, mut depth, mut in_text) = (self.pos, self.depth, self.in_text);
        while let Some(rest) = input.get(pos..).filter(|rest| !rest.is_empty()) {
            if in_text {
                let Some(skipped) = find_text_end(rest) else {
                    pos = input.len();
                    break;
                };
                pos += skipped;
                if input.get(pos) == Some(&b'"') {
                    in_text = false;
                    pos += 1;
                } else if pos + 1 < input.len() {
                    // A backslash, and what it escapes.
                    pos += 2;
                } else {
                    break;
                }
                continue;
            }
            for byte in rest {
                pos += 1;
                match byte {
                    b'"' => {
                        in_text = true;
                        break;
                    }
                    b':' | b',' if depth == 1 => self.marks.push(pos - 1),
                    b'{' | b'[' => {
                        depth += 1;
                        self.open(depth, *byte == b'{');
                    }
                    b'}' | b']' => {
                        self.close(depth, *byte == b'}')?;
                        depth -= 1;
                        if depth == 0 {
                            let found = Scanned { len: pos, marks: self.marks };
                            *self = Self::new();
                            return Ok(Some(found));
                        }
                    }
                    _ => {}
                }
            }
        }
        (self.pos, self.depth, self.in_text) = (pos, depth, in_text);
        Ok(None)
    }

    fn open(&mut self, depth: usize, object: bool) {
        if depth > MAX_DEPTH {
            self.marks.deep = true;
        } else if object {
            self.objects |= 1 << (depth - 1);
        } else {
            self.objects &= !(1 << (depth - 1));
        }
    }

    /// Beyond the limit of depth the kinds of brackets are not known any more, nor do they matter: the object is refused.
    fn close(&self, depth: usize, object: bool) -> Result<(), JsonFault> {
        let fits = depth > MAX_DEPTH || (depth > 0 && (self.objects >> (depth - 1) & 1 == 1) == object);
        if fits { Ok(()) } else { Err(JsonFault::Bracket { found: if object { '}' } else { ']' } }) }
    }
}

impl Marks {
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

/// The first quote or backslash, eight bytes at a time.
fn find_text_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut words = text.chunks_exact(8);
    for word in words.by_ref() {
        let Some(word) = word.first_chunk::<8>() else { break };
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            // Bits above the first one may be wrong, the first one is not.
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let last = words.remainder().iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(at + last)
}

/// The top bit of each byte that is zero, up to the first one for certain.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// Most levels of an object, itself included.
pub(crate) const MAX_DEPTH: usize = 128;

/// Most fields of an object's top level.
pub(crate) const MAX_FIELDS: usize = 16;

/// Each field has a colon, and all but one a comma.
const MARKS: usize = 2 * MAX_FIELDS - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<Scanned> {
        Scanner::new().scan(text.as_bytes()).unwrap()
    }

    fn check_len(text: &str, expected: Option<usize>) {
        assert_eq!(whole(text).map(|found| found.len), expected, "{text}");
        // In any two pieces, and byte by byte, the same is found.
        for cut in 0..=text.len() {
            let mut scanner = Scanner::new();
            let first = scanner.scan(text.get(..cut).unwrap_or("").as_bytes()).unwrap();
            let found = first.or_else(|| scanner.scan(text.as_bytes()).unwrap());
            assert_eq!(found.map(|found| found.len), expected, "{text} cut at {cut}");
        }
        let mut scanner = Scanner::new();
        let found = (0..=text.len()).find_map(|end| scanner.scan(text.get(..end).unwrap_or("").as_bytes()).unwrap());
        assert_eq!(found.map(|found| found.len), expected, "{text} byte by byte");
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

    #[test]
    fn quotes_are_found_wherever_they_are() {
        for len in 0..40 {
            for at in 0..=len {
                for mark in [b'"', b'\\'] {
                    let mut text = vec![0xFF; len];
                    text.insert(at, mark);
                    text.push(b'"');
                    assert_eq!(find_text_end(&text), Some(at));
                }
            }
            assert_eq!(find_text_end(&vec![b'#'; len]), None);
        }
    }
}
