use super::*;
use crate::sealed::{
    fixtures::{ada, bob, bobs_key, eves_key, verified},
    key::DECRYPTED,
};

const TEXT: &[u8] = br#"{"text":"at noon"}"#;

fn sealed() -> Jwe {
    let text = Zeroizing::new(TEXT.to_vec());
    Jwe::seal(verified(&bobs_key(), &bob()).key(), text).expect("it can be sealed")
}

/// Whether it is opened, and how often the key was used for that.
fn opened(jwe: &Jwe) -> (bool, usize) {
    let before = DECRYPTED.get();
    let text = jwe.open(&bobs_key());
    if let Some(text) = &text {
        assert_eq!(text.as_slice(), TEXT);
    }
    (text.is_some(), DECRYPTED.get() - before)
}

const REFUSED_AT_ONCE: (bool, usize) = (false, 0);
const REFUSED: (bool, usize) = (false, 1);

fn with_header(header: &str) -> Jwe {
    Jwe { protected: encode(header.as_bytes()), ..sealed() }
}

fn header() -> String {
    format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"pnet-sealed","kid":"{}"}}"#, bobs_key().fingerprint())
}

/// Seals with a header of any kind, so that nothing but the header can be wrong.
fn sealed_under(header: &str) -> Jwe {
    let to = verified(&bobs_key(), &bob());
    let mut jwe = sealed();
    let (key, mut text) = ([7; 32], TEXT.to_vec());
    jwe.protected = encode(header.as_bytes());
    jwe.encrypted_key = encode(&to.key().encrypt(&mut SysRng, &key).expect("it can be encrypted"));
    let cipher = Aes256Gcm::new((&key).into());
    let iv = decode_array::<12>(&jwe.iv).expect("it is one");
    let tag = cipher.encrypt_inout_detached((&iv).into(), jwe.protected.as_bytes(), text.as_mut_slice().into());
    (jwe.ciphertext, jwe.tag) = (encode(&text), encode(&tag.expect("it can be encrypted")));
    jwe
}

#[test]
fn what_is_sealed_is_opened() {
    let jwe = sealed();
    assert_eq!(opened(&jwe), (true, 1));
    assert_eq!(decode(&jwe.protected).as_deref(), Some(header().as_bytes()));
    let lens =
        [&jwe.encrypted_key, &jwe.iv, &jwe.ciphertext, &jwe.tag].map(|text| decode(text).expect("it is one").len());
    assert_eq!(lens, [256, 12, TEXT.len(), 16]);
    assert_ne!(jwe.iv, sealed().iv);
    assert_ne!(jwe.encrypted_key, sealed().encrypted_key);
    // An empty text is one, too.
    let empty = Jwe::seal(verified(&bobs_key(), &bob()).key(), Zeroizing::default()).expect("it can be sealed");
    assert_eq!(empty.open(&bobs_key()).as_deref(), Some(&Vec::new()));
    // Another's key is not even used.
    let eve = eves_key();
    let before = DECRYPTED.get();
    assert!(jwe.open(&eve).is_none());
    assert_eq!(DECRYPTED.get(), before);
}

#[test]
fn every_changed_byte_is_refused() {
    let jwe = sealed();
    let with = |put: &dyn Fn(&mut Jwe, String), bytes: &[u8]| {
        let mut changed = jwe.clone();
        put(&mut changed, encode(bytes));
        opened(&changed)
    };
    type Put = fn(&mut Jwe, String);
    let parts: [(&str, &String, Put, bool); 4] = [
        ("encrypted_key", &jwe.encrypted_key, |jwe, text| jwe.encrypted_key = text, false),
        ("iv", &jwe.iv, |jwe, text| jwe.iv = text, true),
        ("ciphertext", &jwe.ciphertext, |jwe, text| jwe.ciphertext = text, true),
        ("tag", &jwe.tag, |jwe, text| jwe.tag = text, true),
    ];
    let mut refused = 0;
    for (name, text, put, is_short) in parts {
        let bytes = decode(text).expect("it is one");
        for n in 0..bytes.len() {
            // Of the short ones every bit, and every byte that often stands there.
            let flips: &[u8] = if is_short { &[1, 2, 4, 8, 16, 32, 64, 128, 255] } else { &[1 << (n % 8)] };
            for flip in flips {
                let mut changed = bytes.clone();
                changed[n] ^= flip;
                assert_eq!(with(&put, &changed), REFUSED, "{name}, byte {n}, {flip:#x}");
                refused += 1;
            }
        }
        // Of another length.
        let longer = [&bytes[..], &[0]].concat();
        let wanted = if name == "ciphertext" { REFUSED } else { REFUSED_AT_ONCE };
        for changed in [&bytes[1..], &bytes[..bytes.len() - 1], &longer, &[]] {
            assert_eq!(with(&put, changed), wanted, "{name}, {} bytes", changed.len());
            refused += 1;
        }
        if name == "encrypted_key" {
            // Numbers that are no number below the modulus.
            assert_eq!(with(&put, &[0xff; 256]), REFUSED);
            assert_eq!(with(&put, &[0; 256]), REFUSED);
        }
    }
    assert!(refused > 256 + 9 * (12 + 16), "{refused}");
}

#[test]
fn every_changed_byte_of_the_header_is_refused() {
    let header = header();
    let mut by_the_tag = 0;
    for n in 0..header.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128] {
            let mut changed = header.clone().into_bytes();
            changed[n] ^= flip;
            let jwe = Jwe { protected: encode(&changed), ..sealed_once().clone() };
            let (is_opened, decrypted) = opened(&jwe);
            assert!(!is_opened, "byte {n}, {flip:#x}");
            by_the_tag += decrypted;
        }
        let without = [&header[..n], &header[n + 1..]].concat();
        assert!(!opened(&Jwe { protected: encode(without.as_bytes()), ..sealed_once().clone() }).0, "without byte {n}");
        let spaced = format!("{} {}", &header[..n], &header[n..]);
        assert!(!opened(&Jwe { protected: encode(spaced.as_bytes()), ..sealed_once().clone() }).0, "space before {n}");
    }
    // What is wrong with the names and values is seen before the key is used.
    assert_eq!(by_the_tag, 0);
}

fn sealed_once() -> &'static Jwe {
    static SEALED: std::sync::OnceLock<Jwe> = std::sync::OnceLock::new();
    SEALED.get_or_init(sealed)
}

#[test]
fn headers_are_compared_by_what_they_say() {
    let kid = bobs_key().fingerprint();
    assert_eq!(opened(&sealed_under(&header())), (true, 1));
    // Other programs order, space and escape in other ways.
    for same in [
        format!(r#"{{"kid":"{kid}","typ":"pnet-sealed","enc":"A256GCM","alg":"RSA-OAEP-256"}}"#),
        format!(
            "\n{{ \"alg\" : \"RSA-OAEP-256\",\t\"enc\":\"A256GCM\",\"typ\":\"pnet-sealed\",\"kid\":\"{kid}\"\r\n}} "
        ),
        format!(r#"{{"\u0061lg":"RSA-OAEP-256","enc":"A256GCM","typ":"pnet-\u0073ealed","kid":"{kid}"}}"#),
    ] {
        assert_eq!(opened(&sealed_under(&same)), (true, 1), "{same}");
    }
}

#[test]
fn any_other_header_is_refused_before_the_key_is_used() {
    let (kid, ada) = (bobs_key().fingerprint(), ada().fingerprint());
    let all = header();
    let body = all.trim_end_matches('}').to_owned();
    let mut bad = vec![
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        format!(r#"["RSA-OAEP-256","A256GCM","pnet-sealed","{kid}"]"#),
        format!("[{all}]"),
        format!("{all}{all}"),
        format!("{all},"),
        body.clone(),
        all.replace(&kid.to_string(), &ada.to_string()),
        all.replace(&kid.to_string(), &kid.to_string().replace("SHA256:", "")),
        all.replace(&kid.to_string(), &format!("{kid}=")),
        all.replace("pnet-sealed", "pnet-letter"),
        all.replace("pnet-sealed", "JOSE+JSON"),
        all.replace("pnet-sealed", "PNET-SEALED"),
        all.replace("\"RSA-OAEP-256\"", "1"),
        all.replace("\"A256GCM\"", "null"),
        format!("{body}{}}}", " ".repeat(600)),
    ];
    for alg in
        ["RSA-OAEP", "RSA1_5", "RSA-OAEP-384", "RSA-OAEP-512", "dir", "none", "", "rsa-oaep-256", "A256KW", "ECDH-ES"]
    {
        bad.push(all.replace("RSA-OAEP-256", alg));
    }
    for enc in ["A128GCM", "A192GCM", "A256CBC-HS512", "none", "a256gcm", ""] {
        bad.push(all.replace("A256GCM", enc));
    }
    for more in [
        r#""zip":"DEF""#,
        r#""crit":["exp"],"exp":1"#,
        r#""crit":[]"#,
        r#""cty":"json""#,
        r#""jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}"#,
        r#""jku":"https://example.com""#,
        r#""x5c":[]"#,
        r#""x5u":"https://example.com""#,
        r#""apu":"AA""#,
        r#""p2c":1000000000"#,
        r#""":"""#,
        r#""alg":"RSA-OAEP-256""#,
        r#""enc":"A256GCM""#,
        r#""typ":"pnet-sealed""#,
        r#""\u0061lg":"RSA-OAEP-256""#,
    ] {
        bad.push(format!("{body},{more}}}"));
        bad.push(all.replacen('{', &format!("{{{more},"), 1));
    }
    bad.push(format!(r#"{body},"kid":"{kid}"}}"#));
    for missing in ["alg", "enc", "typ", "kid"] {
        let mut members: serde_json::Map<_, _> = serde_json::from_str(&all).expect("it is an object");
        members.remove(missing).expect("it was there");
        bad.push(serde_json::Value::from(members).to_string());
    }
    for header in &bad {
        assert_eq!(opened(&sealed_under(header)), REFUSED_AT_ONCE, "{header}");
    }
    assert!(bad.len() > 60, "{}", bad.len());
    // Bytes that are no text.
    for bytes in [&[0xff][..], b"{\"alg\":\"\xff\"}", b"\xef\xbb\xbf{}"] {
        assert_eq!(opened(&Jwe { protected: encode(bytes), ..sealed() }), REFUSED_AT_ONCE);
    }
    assert_eq!(opened(&with_header(&all)), (true, 1));
}

#[test]
fn base64url_has_one_form() {
    let jwe = sealed();
    type Part = fn(&mut Jwe) -> &mut String;
    let parts: [Part; 5] = [
        |jwe| &mut jwe.protected,
        |jwe| &mut jwe.encrypted_key,
        |jwe| &mut jwe.iv,
        |jwe| &mut jwe.ciphertext,
        |jwe| &mut jwe.tag,
    ];
    let mut refused = 0;
    for (which, part) in parts.into_iter().enumerate() {
        let text = part(&mut jwe.clone()).clone();
        let mut others = vec![
            format!("{text}="),
            format!("{text}=="),
            format!("{text}\n"),
            format!(" {text}"),
            format!("{text}A"),
            format!("{text}AAA"),
            format!("{}.{}", &text[..4], &text[4..]),
            format!("{}\r\n{}", &text[..4], &text[4..]),
            format!("{}+{}", &text[..4], &text[5..]),
            format!("{}/{}", &text[..4], &text[5..]),
            format!("{}é", &text[..text.len() - 2]),
            "=".repeat(text.len()),
        ];
        // Bits behind the end, where there are any.
        let mask = match text.len() % 4 {
            2 => 0b1111,
            3 => 0b11,
            _ => 0,
        };
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = letters.find(&text[text.len() - 1..]).expect("it is one of them");
        assert_eq!(last & mask, 0);
        for bits in 1..=mask {
            others.push(format!("{}{}", &text[..text.len() - 1], &letters[last | bits..=last | bits]));
        }
        for other in others {
            let mut changed = jwe.clone();
            *part(&mut changed) = other.clone();
            // Of the ciphertext another length is no mistake of form.
            let wanted = if which == 3 && decode(&other).is_some() { REFUSED } else { REFUSED_AT_ONCE };
            assert_eq!(opened(&changed), wanted, "part {which}: {other}");
            refused += 1;
        }
    }
    assert!(refused > 5 * 12 + 15, "{refused}");
}

#[test]
fn what_is_encrypted_under_no_key_looks_like_a_wrong_one() {
    let to = verified(&bobs_key(), &bob());
    for len in [0, 1, 16, 31, 33, 64] {
        let encrypted = to.key().encrypt(&mut SysRng, &vec![7; len]).expect("it can be encrypted");
        assert_eq!(opened(&Jwe { encrypted_key: encode(&encrypted), ..sealed() }), REFUSED, "{len}");
    }
}
