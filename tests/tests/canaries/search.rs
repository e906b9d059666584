//! Looks for secrets in bytes, however they are written.

use std::collections::HashMap;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use uuid::Uuid;

/// The ways in which bytes may be written, each with what is then to be found. In lists of numbers there is no white space.
pub(crate) fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![
        ("raw".to_owned(), secret.to_vec()),
        ("escaped".to_owned(), secret.escape_ascii().to_string().into_bytes()),
        ("hex".to_owned(), list(secret, "", |byte| format!("{byte:02x}"))),
        ("HEX".to_owned(), list(secret, "", |byte| format!("{byte:02X}"))),
        ("numbers".to_owned(), list(secret, ",", |byte| byte.to_string())),
        ("hex numbers".to_owned(), list(secret, ",", |byte| format!("{byte:02x}"))),
    ];
    for shift in 0..3 {
        forms.push((format!("base64 at {shift}"), within_base64(secret, shift, &STANDARD_NO_PAD)));
        forms.push((format!("base64url at {shift}"), within_base64(secret, shift, &URL_SAFE_NO_PAD)));
    }
    if let Ok(bytes) = secret.try_into() {
        let uuid = Uuid::from_bytes(bytes);
        forms.push(("uuid".to_owned(), uuid.hyphenated().to_string().into_bytes()));
        forms.push(("UUID".to_owned(), format!("{:X}", uuid.hyphenated()).into_bytes()));
        forms.push(("number".to_owned(), uuid.as_u128().to_string().into_bytes()));
    }
    let mut unlike: Vec<(String, Vec<u8>)> = Vec::new();
    for form in forms {
        if unlike.iter().all(|known| known.1 != form.1) {
            unlike.push(form);
        }
    }
    unlike
}

fn list(secret: &[u8], between: &str, write: impl Fn(u8) -> String) -> Vec<u8> {
    secret.iter().map(|byte| write(*byte)).collect::<Vec<_>>().join(between).into_bytes()
}

/// The characters that a secret alone decides, `shift` bytes behind the beginning of what is encoded.
fn within_base64(secret: &[u8], shift: usize, engine: &impl Engine) -> Vec<u8> {
    let mut text = engine.encode([&[0, 0][..shift], secret].concat()).into_bytes();
    if !(shift + secret.len()).is_multiple_of(3) {
        text.pop();
    }
    text.split_off([0, 2, 3][shift])
}

/// Many secrets, to be looked for in one pass.
pub(crate) struct Search {
    needles: Vec<Needle>,
    by_head: HashMap<[u8; HEAD], Vec<usize>>,
    /// A bit for each head: most places are no head of any, and found to be none by this alone.
    heads: Vec<bool>,
}

struct Needle {
    secret: usize,
    form: String,
    bytes: Vec<u8>,
}

/// A secret that was found.
pub(crate) struct Found<'a> {
    /// Its number among those that were looked for.
    pub(crate) secret: usize,
    pub(crate) form: &'a str,
    pub(crate) at: usize,
}

impl Search {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut search = Self { needles: Vec::new(), by_head: HashMap::new(), heads: vec![false; BITS] };
        for (secret, bytes) in secrets.into_iter().enumerate() {
            for (form, bytes) in forms(bytes) {
                let head: [u8; HEAD] = *bytes.first_chunk().expect("secrets are long enough to be told from chance");
                search.heads[bit(&head)] = true;
                search.by_head.entry(head).or_default().push(search.needles.len());
                search.needles.push(Needle { secret, form, bytes });
            }
        }
        search
    }

    /// All that is there, with and without its white space.
    pub(crate) fn find(&self, hay: &[u8]) -> Vec<Found<'_>> {
        let squeezed: Vec<u8> = hay.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let mut found = self.find_in(hay);
        found.extend(self.find_in(&squeezed));
        found
    }

    fn find_in<'a>(&'a self, hay: &[u8]) -> Vec<Found<'a>> {
        let mut found = Vec::new();
        for at in 0..hay.len().saturating_sub(HEAD - 1) {
            let Some(head) = hay[at..].first_chunk() else { break };
            if !self.heads[bit(head)] {
                continue;
            }
            for &number in self.by_head.get(head).into_iter().flatten() {
                let needle = &self.needles[number];
                if hay[at..].starts_with(&needle.bytes) {
                    found.push(Found { secret: needle.secret, form: &needle.form, at });
                }
            }
        }
        found
    }
}

const HEAD: usize = 8;
const BITS: usize = 1 << 20;

fn bit(head: &[u8; HEAD]) -> usize {
    (u64::from_le_bytes(*head).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as usize
}

#[test]
fn a_secret_is_found_in_every_form() {
    let binary: Vec<u8> = (0..16_u8).map(|n| n.wrapping_mul(37) ^ 0xC5).collect();
    for secret in [binary.as_slice(), b"correct-horse+battery/staple"] {
        let search = Search::new([secret]);
        for (form, bytes) in forms(secret) {
            let hay = [b"before ".as_slice(), &bytes, b" after"].concat();
            assert!(search.find(&hay).iter().any(|found| found.form == form), "{form}");
            let cut = [b"before ".as_slice(), &bytes[..bytes.len() - 1], b"~ after"].concat();
            assert!(search.find(&cut).iter().all(|found| found.form != form), "{form} that is not whole");
        }
        // As others write them, at any place in what they write.
        for before in 0..7 {
            let all = [&[0xA5; 7][..before], secret, b"and more"].concat();
            for text in [
                base64::engine::general_purpose::STANDARD.encode(&all),
                base64::engine::general_purpose::URL_SAFE.encode(&all),
                format!("{all:?}"),
                format!("{all:#?}"),
                format!("{all:02x?}"),
                all.escape_ascii().to_string(),
            ] {
                assert!(!search.find(text.as_bytes()).is_empty(), "{before}: {text}");
            }
        }
    }
    let uuid = Uuid::from_slice(&binary).expect("16 bytes");
    for text in [uuid.to_string(), uuid.simple().to_string(), uuid.to_string().to_uppercase(), uuid.urn().to_string()] {
        assert!(!Search::new([binary.as_slice()]).find(text.as_bytes()).is_empty(), "{text}");
    }
}
