//! Keys, and what is sealed and signed without pnet: members, headers and texts of any kind.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use getrandom::SysRng;
use pnet::{Fingerprint, Identity, Packet, Sealed, SealingKey, VerifiedSealingKey, protocol};
use rsa::{
    PrivateKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
    sha2::{Digest, Sha256},
    traits::PublicKeyParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// The same fields under another name.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) text: String,
}

pub(crate) type SealedNote = Sealed<Note>;

/// A packet with sealed ones in all kinds of places.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) to: String,
    pub(crate) one: Sealed<Note>,
    pub(crate) more: Vec<Sealed<Note>>,
    pub(crate) order: Option<Sealed<Order>>,
}

/// Who somebody is, and how to write to him.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) name: String,
    pub(crate) key: pnet::Announcement,
}

protocol! {
    pub(crate) Post {
        client { Parcel, SealedNote, Arrived }
        server { Parcel, SealedNote, Arrived }
    }
}

protocol! {
    /// Another one with the same packet.
    pub(crate) Mail {
        client { SealedNote }
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

/// One of the RSA keys that these tests share, of 2048 bits.
pub(crate) fn rsa(number: usize) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; 5] = [const { OnceLock::new() }; 5];
    KEYS[number].get_or_init(|| PrivateKey::new(&mut SysRng, 2048).expect("a key can be made"))
}

pub(crate) const ADA: usize = 0;
pub(crate) const BOB: usize = 1;
pub(crate) const BOB_SEALING: usize = 2;
pub(crate) const EVE: usize = 3;
pub(crate) const EVE_SEALING: usize = 4;

pub(crate) fn pem(key: &PrivateKey) -> String {
    key.to_pkcs8_pem(LineEnding::LF).expect("it can be written").to_string()
}

pub(crate) fn spki(key: &PrivateKey) -> Vec<u8> {
    key.as_public_key().to_public_key_der().expect("it can be written").into_vec()
}

pub(crate) fn fingerprint(number: usize) -> Fingerprint {
    Fingerprint::from_bytes(Sha256::digest(spki(rsa(number))).into())
}

pub(crate) fn identity(number: usize) -> Identity {
    Identity::from_pem(pem(rsa(number))).expect("it is a key")
}

pub(crate) fn sealing_key(number: usize) -> SealingKey {
    SealingKey::from_pem(pem(rsa(number))).expect("it is a key")
}

/// The sealing key `key` as `owner` has announced it.
pub(crate) async fn verified(key: usize, owner: usize) -> VerifiedSealingKey {
    let announcement = sealing_key(key).announce(&identity(owner)).await.expect("it can be announced");
    announcement.verify(&fingerprint(owner)).expect("it is good")
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().expect("it is a text")).expect("it is base64url")
}

/// The object in a text in base64url.
pub(crate) fn object(text: &Value) -> Value {
    serde_json::from_slice(&bytes(text)).expect("it is JSON")
}

/// A JWS in its flattened form, whatever its header says.
pub(crate) fn sign(by: &PrivateKey, header: &str, payload: &[u8]) -> Value {
    let (protected, payload) = (base64url(header), base64url(payload));
    let signature = by.pss_sign::<Sha256>(format!("{protected}.{payload}").as_bytes()).expect("it can be signed");
    json!({ "payload": payload, "protected": protected, "signature": base64url(signature) })
}

/// A JWE in its flattened form, whatever its header says.
pub(crate) fn encrypt(to: &PrivateKey, header: &str, text: &[u8]) -> Value {
    let (key, iv, mut text, protected) = ([7; 32], [9; 12], text.to_vec(), base64url(header));
    let encrypted = to.as_public_key().oaep_encrypt::<Sha256>(&key).expect("it can be encrypted");
    let cipher = Aes256Gcm::new((&key).into());
    let tag = cipher.encrypt_inout_detached((&iv).into(), protected.as_bytes(), text.as_mut_slice().into());
    json!({
        "protected": protected,
        "encrypted_key": base64url(encrypted),
        "iv": base64url(iv),
        "ciphertext": base64url(text),
        "tag": base64url(tag.expect("it can be encrypted")),
    })
}

pub(crate) fn signature_header(typ: &str, by: usize) -> String {
    json!({ "alg": "PS256", "typ": typ, "kid": fingerprint(by).to_string() }).to_string()
}

pub(crate) fn seal_header(to: usize) -> String {
    let kid = fingerprint(to).to_string();
    json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "typ": "pnet-sealed", "kid": kid }).to_string()
}

/// What is sealed without a signature: a note of this moment for Bob, with an id of its own.
pub(crate) fn letter() -> Value {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("there are random numbers");
    json!({
        "action": "NOTE",
        "protocol": "Post",
        "to": fingerprint(BOB).to_string(),
        "key": fingerprint(BOB_SEALING).to_string(),
        "created": millis(SystemTime::now()),
        "id": base64url(id),
        "data": { "text": "at noon" },
    })
}

/// What Ada signs.
pub(crate) fn letter_by_ada() -> Value {
    let mut letter = letter();
    letter["from"] = fingerprint(ADA).to_string().into();
    letter["from_key"] = base64url(spki(rsa(ADA))).into();
    letter
}

/// Signs a letter as Ada.
pub(crate) fn signed(letter: &Value) -> Value {
    sign(rsa(ADA), &signature_header("pnet-letter", ADA), letter.to_string().as_bytes())
}

/// Seals whatever it is for Bob.
pub(crate) fn sealed<T>(text: impl ToString) -> Sealed<T> {
    let jwe = encrypt(rsa(BOB_SEALING), &seal_header(BOB_SEALING), text.to_string().as_bytes());
    serde_json::from_value(jwe).expect("it is one")
}

/// The text that was sealed for a key.
pub(crate) fn decrypt<T>(by: &PrivateKey, sealed: &Sealed<T>) -> Vec<u8> {
    let jwe = serde_json::to_value(sealed).expect("it can be written");
    let encrypted = bytes(&jwe["encrypted_key"]);
    assert_eq!(encrypted.len(), by.size());
    let key = by.oaep_decrypt_with_rng::<Sha256, _>(&mut SysRng, &encrypted).expect("it was sealed for this key");
    let key: [u8; 32] = key.try_into().expect("it is a key of AES-256");
    let iv: [u8; 12] = bytes(&jwe["iv"]).try_into().expect("it is an IV");
    let tag: [u8; 16] = bytes(&jwe["tag"]).try_into().expect("it is a tag");
    let mut text = bytes(&jwe["ciphertext"]);
    let associated = jwe["protected"].as_str().expect("it is a text").as_bytes();
    let cipher = Aes256Gcm::new((&key).into());
    let decrypted = cipher.decrypt_inout_detached((&iv).into(), associated, text.as_mut_slice().into(), (&tag).into());
    decrypted.expect("it is whole");
    text
}

/// Verifies a signature of PS256.
pub(crate) fn verifies(by: &PrivateKey, jws: &Value) -> bool {
    let text = |name: &str| jws[name].as_str().expect("it is a text").to_owned();
    let message = format!("{}.{}", text("protected"), text("payload"));
    by.as_public_key().pss_verify::<Sha256>(message.as_bytes(), &bytes(&jws["signature"])).is_ok()
}

pub(crate) fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis()).expect("it is not far")
}
