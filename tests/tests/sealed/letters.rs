//! What is inside: letters that a second hand writes and reads, and all that must not open, which looks the same from outside.

use std::{
    error::Error as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet::{OpenError, Opener, Sealed};
use pnet_tests::log::Log;
use rsa::pkcs8::EncodePublicKey;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{
    ADA, BOB, BOB_SEALING, EVE, EVE_SEALING, Mail, Note, Order, Post, SealedNote, base64url, bytes, decrypt, encrypt,
    fingerprint, identity, letter, letter_by_ada, millis, note, object, rsa, seal_header, sealed, sealing_key, sign,
    signature_header, signed, spki, verified, verifies,
};

fn bobs_opener() -> Opener<Post> {
    Opener::new(&identity(BOB), sealing_key(BOB_SEALING))
}

/// The same in the string form of another program: in another order, and with spaces.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("it is JSON")
}

#[tokio::test]
async fn what_pnet_seals_a_second_hand_reads() {
    let (before, to) = (millis(SystemTime::now()), verified(BOB_SEALING, BOB).await);
    let unsigned = Sealed::seal::<Post>(&note("at noon"), &to).expect("it can be sealed");
    let header = object(&serde_json::to_value(&unsigned).expect("it can be written")["protected"]);
    assert_eq!(header, serde_json::from_str::<Value>(&seal_header(BOB_SEALING)).expect("it is JSON"));
    let text = decrypt(rsa(BOB_SEALING), &unsigned);
    check_letter(&serde_json::from_slice(&text).expect("it is JSON"), letter(), before);

    let by_ada = Sealed::seal_signed::<Post>(&note("at noon"), &to, &identity(ADA)).await.expect("it can be sealed");
    let text = decrypt(rsa(BOB_SEALING), &by_ada);
    let jws: Value = serde_json::from_slice(&text).expect("it is JSON");
    assert_eq!(jws.as_object().expect("it is an object").len(), 3);
    let header = json!({ "alg": "PS256", "typ": "pnet-letter", "kid": fingerprint(ADA).to_string() });
    assert_eq!(object(&jws["protected"]), header);
    assert!(verifies(rsa(ADA), &jws));
    check_letter(&object(&jws["payload"]), letter_by_ada(), before);
}

/// Compares all but the time and the id, of which the form is checked.
fn check_letter(found: &Value, mut expected: Value, before: u64) {
    let created = found["created"].as_u64().expect("it is a number");
    assert!((before..=millis(SystemTime::now())).contains(&created));
    assert_eq!(bytes(&found["id"]).len(), 16);
    expected["created"] = found["created"].clone();
    expected["id"] = found["id"].clone();
    assert_eq!(*found, expected);
}

#[tokio::test]
async fn what_a_second_hand_seals_is_opened() {
    let opener = bobs_opener();
    let plain = letter();
    for text in [plain.to_string(), pretty(&plain), format!("\n {plain} ")] {
        let opened = opener.open(&sealed::<Note>(text), "somebody").await.expect("nothing is wrong");
        assert_eq!((opened.sender(), opened.packet()), (None, &note("at noon")));
        assert_eq!(opened.created(), UNIX_EPOCH + Duration::from_millis(plain["created"].as_u64().expect("a number")));
        assert_eq!(opened.id()[..], bytes(&plain["id"]));
        let shown = format!("{opened:?}");
        assert!(shown.starts_with("Opened<Note>") && !shown.contains("noon"), "{shown}");
        assert_eq!(opened.into_packet(), note("at noon"));
    }
    for _ in 0..3 {
        let by_ada = signed(&letter_by_ada());
        let opened = opener.open(&sealed::<Note>(pretty(&by_ada)), "somebody").await.expect("nothing is wrong");
        assert_eq!(opened.sender(), Some(fingerprint(ADA)));
        let by_ada = sealed(signed(&letter_by_ada()));
        assert_eq!(opener.open_from(&by_ada, &fingerprint(ADA)).await, Ok(note("at noon")));
    }
    // Names may be escaped, and their texts.
    let escaped = plain.to_string().replace("\"NOTE\"", "\"\\u004eOTE\"").replace("\"to\"", "\"\\u0074o\"");
    opener.open(&sealed::<Note>(escaped), "somebody").await.expect("it says the same");
}

/// What every refusal has to look like.
async fn assert_not_opened(opener: &Opener<Post>, what: &str, sealed: SealedNote) {
    let begun = Instant::now();
    // Each is from a source of its own, so that none is refused as one too many.
    let error = opener.open(&sealed, what).await.expect_err(what);
    assert_eq!(begun.elapsed(), Duration::from_millis(250), "{what}");
    assert_eq!(error, OpenError::NotOpened, "{what}");
    assert_eq!(format!("{error:?} {error}"), "NotOpened the sealed packet could not be opened", "{what}");
    assert!(error.source().is_none());
}

#[tokio::test(start_paused = true)]
async fn whatever_is_wrong_the_error_is_the_same() {
    let opener = bobs_opener();
    let change = |letter: Value, name: &str, value: Value| {
        let mut letter = letter;
        letter[name] = value;
        letter
    };
    let name = |number| Value::from(fingerprint(number).to_string());
    let mut cases: Vec<(String, SealedNote)> = Vec::new();
    // Each is wrong in one thing, with and without a signature over it.
    let wrong = [
        ("another's", "to", name(EVE)),
        ("another key's", "key", name(EVE_SEALING)),
        ("the identity's key", "key", name(BOB)),
        ("a name that is none", "to", "Bob".into()),
        ("another protocol's", "protocol", "Mail".into()),
        ("no protocol's", "protocol", "".into()),
        ("another type's", "action", "ORDER".into()),
        ("a sealed one's", "action", "SEALED_NOTE".into()),
        ("without text", "data", json!({})),
        ("with a text that is none", "data", json!({ "text": 1 })),
        ("without an object", "data", Value::Null),
        ("a short id", "id", base64url([0; 15]).into()),
        ("a long id", "id", base64url([0; 17]).into()),
        ("an id with padding", "id", format!("{}==", base64url([0; 16])).into()),
        ("an id with bits behind the end", "id", "AAAAAAAAAAAAAAAAAAAAAB".into()),
        ("a time with a fraction", "created", json!(1.5)),
        ("a time before 1970", "created", json!(-1)),
        ("a time as text", "created", json!("1")),
        ("a member too many", "more", json!(1)),
    ];
    for (what, member, value) in wrong {
        cases.push((what.to_owned(), sealed(change(letter(), member, value.clone()))));
        cases.push((format!("{what}, signed"), sealed(signed(&change(letter_by_ada(), member, value)))));
    }
    for member in ["action", "protocol", "to", "key", "created", "id", "data", "from", "from_key"] {
        let mut by_ada = letter_by_ada();
        by_ada.as_object_mut().expect("it is an object").remove(member).expect("it was there");
        cases.push((format!("without `{member}`"), sealed(signed(&by_ada))));
        let twice =
            letter_by_ada().to_string().replacen('{', &format!("{{\"{member}\":{},", letter_by_ada()[member]), 1);
        let twice = sign(rsa(ADA), &signature_header("pnet-letter", ADA), twice.as_bytes());
        cases.push((format!("`{member}` twice"), sealed(twice)));
    }
    // Who has signed.
    let header = signature_header("pnet-letter", ADA);
    let eves = signature_header("pnet-letter", EVE);
    let text = || letter_by_ada().to_string();
    let with_key_of_eve = || change(letter_by_ada(), "from_key", base64url(spki(rsa(EVE))).into()).to_string();
    let short = rsa::PrivateKey::new(&mut getrandom::SysRng, 1024).expect("a key can be made");
    let short_name = pnet::Fingerprint::from_bytes({
        use rsa::sha2::{Digest, Sha256};
        Sha256::digest(spki(&short)).into()
    });
    let by_short = change(
        change(letter_by_ada(), "from", short_name.to_string().into()),
        "from_key",
        base64url(short.as_public_key().to_public_key_der().expect("it can be written").as_bytes()).into(),
    );
    let mut by_nobody = signed(&letter_by_ada());
    by_nobody["signature"] = "".into();
    let mut padded = signed(&letter_by_ada());
    padded["signature"] = format!("{}==", padded["signature"].as_str().expect("it is a text")).into();
    let mut more = signed(&letter_by_ada());
    more["header"] = json!({});
    let mut general = signed(&letter_by_ada());
    general["signatures"] = json!([]);
    let mut swapped = signed(&letter_by_ada());
    swapped["payload"] = base64url(change(letter_by_ada(), "data", json!({ "text": "at one" })).to_string()).into();
    for (what, text) in [
        ("signed by Eve in Ada's name", sign(rsa(EVE), &header, text().as_bytes())),
        ("signed by Eve with her key in it", sign(rsa(EVE), &header, with_key_of_eve().as_bytes())),
        ("signed by Eve under her name, from Ada", sign(rsa(EVE), &eves, text().as_bytes())),
        ("signed by Eve under her name, with her key, from Ada", sign(rsa(EVE), &eves, with_key_of_eve().as_bytes())),
        (
            "signed by a short key",
            sign(
                &short,
                &header.replace(&fingerprint(ADA).to_string(), &short_name.to_string()),
                by_short.to_string().as_bytes(),
            ),
        ),
        ("an announcement", sign(rsa(ADA), &signature_header("pnet-sealing-key", ADA), text().as_bytes())),
        ("without algorithm", sign(rsa(ADA), &header.replace("PS256", "none"), text().as_bytes())),
        ("of another algorithm", sign(rsa(ADA), &header.replace("PS256", "RS256"), text().as_bytes())),
        (
            "with a critical header",
            sign(rsa(ADA), &header.replace('}', ",\"crit\":[\"b64\"],\"b64\":true}"), text().as_bytes()),
        ),
        ("a list", sign(rsa(ADA), &header, format!("[{}]", text()).as_bytes())),
        ("two letters", sign(rsa(ADA), &header, format!("{0}{0}", text()).as_bytes())),
        ("without signature", by_nobody),
        ("with padding", padded),
        ("with a header that nobody signed", more),
        ("in the general form", general),
        ("with another payload", swapped),
        ("unsigned, from Ada", letter_by_ada()),
        ("unsigned, from Ada, without her key", change(letter(), "from", name(ADA))),
        ("unsigned, from nobody", change(letter(), "from", Value::Null)),
        ("signed, from nobody", signed(&change(letter_by_ada(), "from", Value::Null))),
        ("a text", json!("at noon")),
        ("nothing", Value::Null),
    ] {
        cases.push((what.to_owned(), sealed(text)));
    }
    // When.
    let now = millis(SystemTime::now());
    for (what, time) in
        [("old", now - 60_000), ("of 1970", 0), ("of the future", now + 120_000), ("of no time", u64::MAX)]
    {
        cases.push((what.to_owned(), sealed(signed(&change(letter_by_ada(), "created", time.into())))));
    }
    // Sealed for another, by another program, or for nobody.
    let text = signed(&letter_by_ada()).to_string();
    let for_eve = encrypt(rsa(EVE_SEALING), &seal_header(EVE_SEALING), text.as_bytes());
    let under_bobs_name = encrypt(rsa(EVE_SEALING), &seal_header(BOB_SEALING), text.as_bytes());
    let under_eves_name = encrypt(rsa(BOB_SEALING), &seal_header(EVE_SEALING), text.as_bytes());
    let mut no_key = encrypt(rsa(BOB_SEALING), &seal_header(BOB_SEALING), text.as_bytes());
    no_key["encrypted_key"] = base64url([1; 256]).into();
    for (what, jwe) in [
        ("sealed for Eve", for_eve),
        ("sealed for Eve, as if for Bob", under_bobs_name),
        ("sealed for Bob, as if for Eve", under_eves_name),
        ("with a key that is none", no_key),
    ] {
        cases.push((what.to_owned(), serde_json::from_value(jwe).expect("it is one")));
    }

    let (log, _kept) = Log::keep();
    assert!(cases.len() > 80, "{}", cases.len());
    let mut logged = Vec::new();
    for (what, sealed) in cases {
        let before = log.text().len();
        assert_not_opened(&opener, &what, sealed).await;
        logged.push(log.text()[before..].to_owned());
    }
    // The log says that there was one, and nothing of why.
    assert!(logged[0].contains("a sealed packet was not opened"), "{}", logged[0]);
    logged.dedup();
    assert_eq!(logged.len(), 1, "{logged:?}");
    // What is wrong in nothing still opens.
    opener.open(&sealed::<Note>(signed(&letter_by_ada())), "ada").await.expect("nothing is wrong");
    opener.open(&sealed::<Note>(letter()), "somebody").await.expect("nothing is wrong");
}

#[tokio::test(start_paused = true)]
async fn a_letter_opens_once() {
    let opener = bobs_opener();
    let letter: SealedNote = sealed(signed(&letter_by_ada()));
    opener.open(&letter, "ada").await.expect("it is new");
    assert_not_opened(&opener, "replayed", letter.clone()).await;
    assert_eq!(opener.open_from(&letter, &fingerprint(ADA)).await, Err(OpenError::NotOpened));
    // Sealed anew it is the same letter.
    let inside = signed(&letter_by_ada());
    opener.open(&sealed::<Note>(&inside), "ada").await.expect("it is new");
    assert_not_opened(&opener, "sealed anew", sealed(pretty(&inside))).await;
    // Signed anew, too.
    let same = letter_by_ada();
    opener.open(&sealed::<Note>(signed(&same)), "ada").await.expect("it is new");
    assert_not_opened(&opener, "signed anew", sealed(signed(&same))).await;
}

#[tokio::test(start_paused = true)]
async fn a_recipient_cannot_pass_on_what_was_signed_for_him() {
    let eves = Opener::<Post>::new(&identity(EVE), sealing_key(EVE_SEALING));
    // Ada writes to Eve, who opens it and seals what is inside for Bob.
    let to_eve = verified(EVE_SEALING, EVE).await;
    let letter = Sealed::seal_signed::<Post>(&note("for Eve"), &to_eve, &identity(ADA)).await.expect("can be sealed");
    let inside = decrypt(rsa(EVE_SEALING), &letter);
    assert_eq!(eves.open_from(&letter, &fingerprint(ADA)).await, Ok(note("for Eve")));
    let passed_on = String::from_utf8(inside).expect("it is JSON");
    assert_not_opened(&bobs_opener(), "passed on", sealed(passed_on)).await;

    // Eve announces Bob's sealing key as her own. What Ada writes to Eve can then be opened by Bob, as far as keys go.
    let bobs_as_eves = verified(BOB_SEALING, EVE).await;
    assert_eq!(bobs_as_eves.identity(), fingerprint(EVE));
    let letter = Sealed::seal_signed::<Post>(&note("for Eve"), &bobs_as_eves, &identity(ADA)).await.expect("can be");
    assert_not_opened(&bobs_opener(), "announced by another", letter).await;
    let letter = Sealed::seal::<Post>(&note("for Eve"), &bobs_as_eves).expect("it can be sealed");
    assert_not_opened(&bobs_opener(), "announced by another, unsigned", letter).await;
}

#[tokio::test(start_paused = true)]
async fn a_letter_opens_as_its_own_type_in_its_own_protocol() {
    let (opener, to) = (bobs_opener(), verified(BOB_SEALING, BOB).await);
    let order = Order { text: "at noon".to_owned() };
    let orders = [
        Sealed::seal::<Post>(&order, &to).expect("it can be sealed"),
        Sealed::seal_signed::<Post>(&order, &to, &identity(ADA)).await.expect("it can be sealed"),
    ];
    for sealed in orders {
        // Who passes it on may call it a note.
        let as_note: SealedNote = serde_json::from_value(serde_json::to_value(&sealed).expect("a value")).expect("one");
        assert_not_opened(&opener, "an order as a note", as_note).await;
        opener.open(&sealed, "an order as an order").await.expect("it is one");
    }
    let mail = Sealed::seal_signed::<Mail>(&note("at noon"), &to, &identity(ADA)).await.expect("it can be sealed");
    assert_not_opened(&opener, "of another protocol", mail.clone()).await;
    let opener = Opener::<Mail>::new(fingerprint(BOB), sealing_key(BOB_SEALING)).accepting_since(UNIX_EPOCH);
    assert_eq!(opener.open_from(&mail, &fingerprint(ADA)).await, Ok(note("at noon")));
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_opener_needs_leave() {
    let letter: SealedNote = sealed(signed(&{
        let mut letter = letter_by_ada();
        letter["created"] = (millis(SystemTime::now()) - 10_000).into();
        letter
    }));
    assert_not_opened(&bobs_opener(), "older", letter.clone()).await;
    let now = SystemTime::now();
    for (since, opens) in [(Duration::from_secs(5), false), (Duration::from_secs(60), true)] {
        let opener = bobs_opener().accepting_since(now - since);
        assert_eq!(opener.open(&letter, "ada").await.is_ok(), opens, "{since:?}");
        assert_not_opened(&opener, "a second time", letter.clone()).await;
    }
    // Nothing is promised of what is not signed.
    let mut unsigned = self::letter();
    unsigned["created"] = 0.into();
    let opener = bobs_opener();
    for _ in 0..2 {
        let opened = opener.open(&sealed::<Note>(&unsigned), "somebody").await.expect("it is not signed");
        assert_eq!((opened.sender(), opened.created()), (None, UNIX_EPOCH));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sealed() {
    use pnet::{Packet, SealError};
    use serde::{Deserialize, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    struct Speed {
        value: f64,
    }
    let to = verified(BOB_SEALING, BOB).await;
    let error = Sealed::seal::<Post>(&Speed { value: f64::NAN }, &to).expect_err("JSON has no such number");
    assert!(matches!(error, SealError::Encode(_)), "{error:?}");
    assert_eq!(error.to_string(), "packet `SPEED` holds a number that is not finite, which JSON cannot carry");
    let error = Sealed::seal_signed::<Post>(&Speed { value: f64::INFINITY }, &to, &identity(ADA)).await;
    assert!(matches!(error, Err(SealError::Encode(_))), "{error:?}");
}
