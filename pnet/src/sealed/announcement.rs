//! How others get to know a sealing key: an identity signs that it is its own.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    key::Fingerprint,
    schema::{Field, Prim, Schema, Ty},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    jws::Jws,
    public::Public,
    text::{decode, encode, encoded_len, object, object_of},
};
use crate::identity::Identity;

/// A sealing key, the identity that it belongs to, and a time, signed by the identity: what a program shows to those who are
/// to seal packets for it. Made by [`SealingKey::announce`](super::SealingKey::announce).
///
/// An ordinary value for serde, which may be a field of any packet, stand in a file, or be read aloud. On the wire it is a JWS
/// in its flattened JSON form (RFC 7515 §7.2.2), see `docs/sealed.md`. One that came from elsewhere proves nothing before
/// [`verify`](Self::verify), and nothing can be sealed with it before.
///
/// # Examples
///
/// ```
/// use pnet::{Announcement, Packet};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Arrived {
///     name: String,
///     key: Announcement,
/// }
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Announcement(Jws<String>);

/// What is signed.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload<'a> {
    sealing_key: &'a str,
    identity_key: &'a str,
    identity: &'a str,
    announced: u64,
}

impl Announcement {
    /// The sealing key, if this was signed by the identity with that fingerprint, which has to be known from elsewhere: from
    /// its owner, or from a list.
    ///
    /// Of one who has changed keys, old announcements are still signed: whoever hands announcements on can show an old one
    /// again. Keep the newest by [`announced_at`](VerifiedSealingKey::announced_at) and refuse older ones.
    ///
    /// Takes about a third of a millisecond. Whoever verifies what strangers send, many times a second, does so on a blocking
    /// thread.
    ///
    /// # Errors
    ///
    /// [`AnnouncementError`] says what is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use pnet::{AnnouncementError, Identity, SealingKey};
    ///
    /// let bob = Identity::generate_with(2048).await?;
    /// let key = SealingKey::generate_with(2048).await?;
    /// let announcement = key.announce(&bob).await?;
    ///
    /// let verified = announcement.verify(&bob.fingerprint())?;
    /// assert_eq!(verified.fingerprint(), key.fingerprint());
    ///
    /// let mallory = Identity::generate_with(2048).await?;
    /// let swapped = key.announce(&mallory).await?;
    /// assert!(matches!(swapped.verify(&bob.fingerprint()), Err(AnnouncementError::OtherIdentity { .. })));
    /// # Ok(()) }
    /// ```
    pub fn verify(&self, identity: &Fingerprint) -> Result<VerifiedSealingKey, AnnouncementError> {
        // Longer ones are not even looked at.
        if self.0.len() > MAX_LEN {
            return Err(AnnouncementError::Malformed { what: "longer than any" });
        }
        let malformed = |what| move || AnnouncementError::Malformed { what };
        let signer = self.0.said_signer(TYP).ok_or_else(malformed("without the header of one"))?;
        if signer != *identity {
            return Err(AnnouncementError::OtherIdentity { wanted: *identity, found: signer });
        }
        let payload = self.0.payload().ok_or_else(malformed("not in base64url"))?;
        let payload: Payload<'_> = object(&payload).ok_or_else(malformed("without the members of one"))?;
        let key = |text: &str| {
            if text.len() > encoded_len(Public::MAX_LEN) {
                return Err(AnnouncementError::Malformed { what: "with a key that is longer than any" });
            }
            let spki =
                decode(text).ok_or(AnnouncementError::Malformed { what: "with a key that is not in base64url" })?;
            Public::read(&spki).map_err(|what| AnnouncementError::Key { what })
        };
        let (identity_key, sealing_key) = (key(payload.identity_key)?, key(payload.sealing_key)?);
        // The header says it, the payload says it, and it is the hash of the key that verifies.
        if identity_key.fingerprint() != signer || payload.identity.parse() != Ok(signer) {
            return Err(AnnouncementError::Malformed { what: "by two identities at once" });
        }
        if !self.0.is_by(&identity_key) {
            return Err(AnnouncementError::Signature { identity: signer });
        }
        if sealing_key.is_same(&identity_key) {
            return Err(AnnouncementError::SameKey);
        }
        let announced = UNIX_EPOCH.checked_add(Duration::from_millis(payload.announced));
        let announced = announced.ok_or_else(malformed("of no time"))?;
        Ok(VerifiedSealingKey { key: sealing_key, identity: signer, announced })
    }

    /// `None` if the system gives no random numbers.
    pub(super) fn sign(spki: &[u8], identity: &Identity) -> Option<Self> {
        let payload = Payload {
            sealing_key: &encode(spki),
            identity_key: &encode(identity.spki()),
            identity: &identity.fingerprint().to_string(),
            announced: super::millis(SystemTime::now()),
        };
        Jws::sign(identity, TYP, &serde_json::to_vec(&payload).ok()?).map(Self)
    }
}

impl Schema for Announcement {
    const SCHEMA: &'static Ty = &Ty::Named(
        "Announcement",
        &Ty::Struct(&[
            Field { name: "payload", ty: &Ty::Prim(Prim::Str), default: false },
            Field { name: "protected", ty: &Ty::Prim(Prim::Str), default: false },
            Field { name: "signature", ty: &Ty::Prim(Prim::Str), default: false },
        ]),
    );
}

impl Serialize for Announcement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Announcement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() { object_of(deserializer) } else { Jws::deserialize(deserializer) }
            .map(Self)
    }
}

/// Says only that it is one: what is in it is not verified.
impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Announcement({} bytes)", self.0.len())
    }
}

/// The sealing key of an identity that has signed for it: what packets can be sealed for.
///
/// Only [`Announcement::verify`] makes one. Cheap to keep, and not to be sent: others cannot know what was verified here.
#[derive(Clone)]
pub struct VerifiedSealingKey {
    key: Public,
    identity: Fingerprint,
    announced: SystemTime,
}

impl VerifiedSealingKey {
    /// Whose key it is.
    #[must_use]
    pub const fn identity(&self) -> Fingerprint {
        self.identity
    }

    /// The fingerprint of the sealing key itself.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.key.fingerprint()
    }

    /// When it was announced, by its owner's clock, to a millisecond.
    #[must_use]
    pub const fn announced_at(&self) -> SystemTime {
        self.announced
    }

    pub(super) const fn key(&self) -> &Public {
        &self.key
    }
}

impl fmt::Debug for VerifiedSealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedSealingKey")
            .field("identity", &self.identity)
            .field("fingerprint", &self.fingerprint())
            .field("announced", &self.announced)
            .finish()
    }
}

/// Why an [`Announcement`] was not taken. Nothing was sealed.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnnouncementError {
    /// It has another form than an announcement.
    #[error("this is no announcement of a sealing key: it is {what}")]
    Malformed {
        /// What is wrong, in words that go on after "it is".
        what: &'static str,
    },
    /// It is by somebody else: a mistake, or somebody on the way has put another one in its place.
    #[error("the sealing key is announced by {found}, not by {wanted}: somebody may have swapped it")]
    OtherIdentity {
        /// Whose it should be.
        wanted: Fingerprint,
        /// Whose it says to be.
        found: Fingerprint,
    },
    /// The signature is not by the identity: somebody on the way has changed it.
    #[error("the announcement says to be by {identity}, but is not signed by it: somebody has changed it")]
    Signature {
        /// Whose it says to be.
        identity: Fingerprint,
    },
    /// One of its keys is none that is taken.
    #[error("the announcement holds {what}; RSA keys of 2048 to 4096 bits are taken")]
    Key {
        /// What it is, in words.
        what: String,
    },
    /// The identity's own key is announced as its sealing key.
    #[error("the announced sealing key is the identity's own key, which may only sign")]
    SameKey,
}

const TYP: &str = "pnet-sealing-key";
/// With two keys of 4096 bits it has less than 3,500.
const MAX_LEN: usize = 8192;
