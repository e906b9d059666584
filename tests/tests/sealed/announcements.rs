//! Announcements: what is in them, and which are refused with which words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use pnet::{Announcement, AnnouncementError, KeyError};
use rcgen::{KeyPair, PublicKeyData as _};
use rsa::{
    BoxedUint, PrivateKey, PublicKey,
    pkcs8::EncodePublicKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use serde_json::{Value, json};

use super::support::{
    ADA, BOB, BOB_SEALING, EVE, EVE_SEALING, base64url, bytes, fingerprint, identity, letter_by_ada, millis, object,
    rsa, sealing_key, sign, signature_header, signed, spki, verifies,
};

async fn bobs() -> Value {
    let announcement = sealing_key(BOB_SEALING).announce(&identity(BOB)).await.expect("it can be announced");
    serde_json::to_value(announcement).expect("it can be written")
}

fn payload() -> Value {
    json!({
        "sealing_key": base64url(spki(rsa(BOB_SEALING))),
        "identity_key": base64url(spki(rsa(BOB))),
        "identity": fingerprint(BOB).to_string(),
        "announced": 1_700_000_000_123_u64,
    })
}

/// An announcement by Bob with a payload of any kind.
fn announced(payload: &Value) -> Value {
    sign(rsa(BOB), &signature_header("pnet-sealing-key", BOB), payload.to_string().as_bytes())
}

fn verify(announcement: &Value) -> Result<(), AnnouncementError> {
    let announcement: Announcement = serde_json::from_value(announcement.clone()).expect("it has the three texts");
    announcement.verify(&fingerprint(BOB)).map(drop)
}

#[tokio::test]
async fn an_announcement_is_a_signature_by_the_identity() {
    let before = millis(SystemTime::now());
    let announcement = bobs().await;
    assert_eq!(announcement.as_object().expect("it is an object").len(), 3);
    let header = object(&announcement["protected"]);
    assert_eq!(header, json!({ "alg": "PS256", "typ": "pnet-sealing-key", "kid": fingerprint(BOB).to_string() }));
    let mut said = object(&announcement["payload"]);
    let announced = said["announced"].take().as_u64().expect("it is a number");
    assert!((before..=millis(SystemTime::now())).contains(&announced));
    let mut expected = payload();
    expected["announced"] = Value::Null;
    assert_eq!(said, expected);
    assert!(verifies(rsa(BOB), &announcement));

    let read: Announcement = serde_json::from_value(announcement).expect("it is one");
    let verified = read.verify(&fingerprint(BOB)).expect("it is good");
    assert_eq!(verified.identity(), fingerprint(BOB));
    assert_eq!(verified.fingerprint(), fingerprint(BOB_SEALING));
    assert_eq!(verified.announced_at(), UNIX_EPOCH + Duration::from_millis(announced));
    let shown = format!("{read:?} {verified:?}");
    assert!(shown.contains(&fingerprint(BOB_SEALING).to_string()), "{shown}");
}

#[test]
fn one_that_was_made_elsewhere_is_taken() {
    let announcement: Announcement = serde_json::from_value(announced(&payload())).expect("it has the three texts");
    let verified = announcement.verify(&fingerprint(BOB)).expect("it is good");
    assert_eq!(verified.announced_at(), UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    // Another order, and spaces.
    let header = format!(" {{ \"kid\" : \"{}\", \"typ\":\"pnet-sealing-key\",\n\"alg\":\"PS256\" }}", fingerprint(BOB));
    let other = serde_json::to_vec_pretty(&payload()).expect("it is JSON");
    assert_eq!(verify(&sign(rsa(BOB), &header, &other)), Ok(()));
}

#[tokio::test]
async fn a_swapped_one_names_both() {
    let eves = sealing_key(EVE_SEALING).announce(&identity(EVE)).await.expect("it can be announced");
    let error = eves.verify(&fingerprint(BOB)).expect_err("it is Eve's");
    assert_eq!(error, AnnouncementError::OtherIdentity { wanted: fingerprint(BOB), found: fingerprint(EVE) });
    let words = error.to_string();
    assert!(words.contains(&fingerprint(BOB).to_string()) && words.contains(&fingerprint(EVE).to_string()), "{words}");
}

#[test]
fn whoever_signs_in_anothers_name_is_refused() {
    let header = signature_header("pnet-sealing-key", BOB);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut payload = payload();
        payload["sealing_key"] = base64url(spki(rsa(EVE_SEALING))).into();
        change(&mut payload);
        verify(&sign(rsa(EVE), &header, payload.to_string().as_bytes()))
    };
    // Bob's key is in it, and Eve has signed.
    assert_eq!(with(&|_| {}), Err(AnnouncementError::Signature { identity: fingerprint(BOB) }));
    // Eve's key is in it, under Bob's name.
    let eves = base64url(spki(rsa(EVE)));
    let by_two = Err(AnnouncementError::Malformed { what: "by two identities at once" });
    assert_eq!(with(&|payload| payload["identity_key"] = eves.clone().into()), by_two);
    assert_eq!(with(&|payload| payload["identity"] = fingerprint(EVE).to_string().into()), by_two);
    // Bob's own signature, for another key.
    let mut moved = announced(&payload());
    let mut swapped = payload();
    swapped["sealing_key"] = base64url(spki(rsa(EVE_SEALING))).into();
    moved["payload"] = base64url(swapped.to_string()).into();
    assert_eq!(verify(&moved), Err(AnnouncementError::Signature { identity: fingerprint(BOB) }));
}

#[tokio::test]
async fn every_changed_byte_is_refused() {
    let announcement = bobs().await;
    let mut refused = 0;
    for part in ["payload", "protected", "signature"] {
        let good = bytes(&announcement[part]);
        for n in 0..good.len() {
            let mut changed = good.clone();
            changed[n] ^= 1 << (n % 8);
            let mut other = announcement.clone();
            other[part] = base64url(changed).into();
            verify(&other).expect_err("a byte is changed");
            refused += 1;
        }
        let text = announcement[part].as_str().expect("it is a text");
        for other in [format!("{text}="), format!("{text}\n"), format!(" {text}"), String::new(), format!("{text}A")] {
            let mut changed = announcement.clone();
            changed[part] = other.clone().into();
            verify(&changed).expect_err(&other);
        }
    }
    assert!(refused > 1000, "{refused}");
    assert_eq!(verify(&announcement), Ok(()));
}

#[test]
fn other_forms_are_refused() {
    let malformed = |header: &str, payload: &str| {
        let error = verify(&sign(rsa(BOB), header, payload.as_bytes())).expect_err(header);
        assert!(matches!(error, AnnouncementError::Malformed { .. }), "{header} {payload}: {error:?}");
        assert!(error.to_string().starts_with("this is no announcement of a sealing key: it is "), "{error}");
    };
    let (good, body) = (signature_header("pnet-sealing-key", BOB), payload().to_string());
    assert_eq!(verify(&sign(rsa(BOB), &good, body.as_bytes())), Ok(()));
    for header in [
        "",
        "{}",
        "[]",
        &good.replace("PS256", "none"),
        &good.replace("PS256", "RS256"),
        &good.replace("PS256", "PS384"),
        &good.replace("pnet-sealing-key", "pnet-letter"),
        &good.replace("SHA256:", ""),
        &good.replace('}', r#","crit":[]}"#),
        &good.replace('}', r#","jwk":{}}"#),
        &good.replace('}', r#","alg":"PS256"}"#),
        &format!("[{good}]"),
        &format!("{good} {good}"),
        &format!("{good}{}", " ".repeat(600)),
    ] {
        malformed(header, &body);
    }
    let without = |name: &str| {
        let mut payload = payload();
        payload.as_object_mut().expect("it is an object").remove(name).expect("it was there");
        payload.to_string()
    };
    for payload in [
        "",
        "{}",
        "null",
        &format!("[{body}]"),
        &format!("{body}{body}"),
        &body.replacen('{', r#"{"more":1,"#, 1),
        &body.replacen('{', r#"{"announced":1,"#, 1),
        &body.replace("1700000000123", "-1"),
        &body.replace("1700000000123", "1.5"),
        &body.replace("1700000000123", "18446744073709551616"),
        &body.replace("1700000000123", "\"1\""),
        &without("sealing_key"),
        &without("identity_key"),
        &without("identity"),
        &without("announced"),
        &body.replace(&base64url(spki(rsa(BOB_SEALING))), &format!("{}=", base64url(spki(rsa(BOB_SEALING))))),
        &body.replace(&base64url(spki(rsa(BOB_SEALING))), &"A".repeat(2000)),
        &" ".repeat(9000),
    ] {
        malformed(&good, payload);
    }
    // A signed letter is another kind of text, and the other way round: the next file has that.
    let letter = signed(&letter_by_ada());
    let letter: Announcement = serde_json::from_value(letter).expect("it has the three texts");
    assert!(matches!(letter.verify(&fingerprint(ADA)), Err(AnnouncementError::Malformed { .. })));
}

#[test]
fn keys_that_are_not_taken_are_named() {
    let with = |key: Vec<u8>| {
        let mut payload = payload();
        payload["sealing_key"] = base64url(key).into();
        verify(&announced(&payload)).expect_err("it is not taken")
    };
    let named = |key: Vec<u8>, words: &str| {
        let error = with(key);
        assert!(matches!(error, AnnouncementError::Key { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let short = PrivateKey::new(&mut SysRng, 1024).expect("a key can be made");
    named(spki(&short), "an RSA key of 1024 bits");
    let ec = KeyPair::generate().expect("a key can be made");
    named(ec.subject_public_key_info(), "an EC key");
    let n = rsa(BOB_SEALING).n().clone().get();
    let with_exponent = |n: BoxedUint, e: u64| {
        let key = PublicKey::new(n, BoxedUint::from(e)).expect("it is a key");
        key.to_public_key_der().expect("it can be written").into_vec()
    };
    named(with_exponent(n, 3), "another exponent");
    named(vec![0x30, 0], "cannot be read");
    named([spki(rsa(BOB_SEALING)), vec![0]].concat(), "cannot be read");
    // The identity's key, and its modulus with another exponent.
    assert_eq!(with(spki(rsa(BOB))), AnnouncementError::SameKey);
    let n = rsa(BOB).n().clone().get();
    assert_eq!(with(with_exponent(n, 65_539)), AnnouncementError::SameKey);
}

/// Whether it is the newest, a signature cannot say.
#[test]
fn an_old_one_is_taken_and_says_how_old_it_is() {
    let announced_at = |time: u64| {
        let mut payload = payload();
        payload["announced"] = time.into();
        let announcement: Announcement = serde_json::from_value(announced(&payload)).expect("it has the three texts");
        announcement.verify(&fingerprint(BOB)).expect("it is by Bob").announced_at()
    };
    let (old, new) = (announced_at(1_000), announced_at(millis(SystemTime::now())));
    assert_eq!(old, UNIX_EPOCH + Duration::from_secs(1));
    assert!(old < new);
}

#[tokio::test]
async fn an_identity_does_not_announce_its_own_key() {
    let error = sealing_key(BOB).announce(&identity(BOB)).await.expect_err("it may only sign");
    assert!(matches!(error, KeyError::SameKey), "{error:?}");
    // The same modulus under another exponent.
    let (key, e) = (rsa(BOB), BoxedUint::from(65_539_u64));
    let [p, q] = key.primes() else { panic!("it has two primes") };
    if let Ok(other) = PrivateKey::from_p_q(p.clone().get(), q.clone().get(), e) {
        let other = pnet::SealingKey::from_pem(super::support::pem(&other)).expect("it is a key");
        assert_ne!(other.fingerprint(), fingerprint(BOB));
        assert!(matches!(other.announce(&identity(BOB)).await, Err(KeyError::SameKey)));
    }
}
