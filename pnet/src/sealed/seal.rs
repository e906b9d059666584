//! Sealing: what the sender does.

use std::{future::Future, time::SystemTime};

use pnet_protocol::{
    packet::{EncodeError, OwnedPacket},
    protocol::Protocol,
};
use tokio::task::spawn_blocking;

use super::{
    Sealed, VerifiedSealingKey,
    jwe::{Jwe, fill_random},
    letter::{Heading, ID_LEN, Unsealed},
};
use crate::identity::Identity;

impl<T: OwnedPacket> Sealed<T> {
    /// Seals a packet for whoever has announced this key. `P` is the protocol that both speak: it cannot be opened in another.
    ///
    /// **Anybody could have written it**, since the key is public: the recipient learns nothing about who did, and whoever
    /// passes it on may pass it on again. Where one of the two matters, use [`seal_signed`](Self::seal_signed).
    ///
    /// Takes about a quarter of a millisecond.
    ///
    /// # Errors
    ///
    /// [`SealError`]: the packet cannot be written as JSON, or the system gives no random numbers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol};
    /// # use serde::{Deserialize, Serialize};
    /// use pnet::{Identity, Opener, Sealed, SealingKey};
    ///
    /// #[derive(Packet, Serialize, Deserialize)]
    /// struct Note {
    ///     text: String,
    /// }
    /// # type SealedNote = Sealed<Note>;
    /// # protocol! { Post { client { SealedNote } } }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bob = Identity::generate_with(2048).await?;
    /// let key = SealingKey::generate_with(2048).await?;
    /// let verified = key.announce(&bob).await?.verify(&bob.fingerprint())?;
    ///
    /// let letter = Sealed::seal::<Post>(&Note { text: "at noon".into() }, &verified)?;
    ///
    /// let opened = Opener::<Post>::new(&bob, key).open(&letter, "somebody").await?;
    /// assert_eq!(opened.sender(), None);
    /// assert_eq!(opened.into_packet().text, "at noon");
    /// # Ok(()) }
    /// ```
    pub fn seal<P: Protocol>(packet: &T, to: &VerifiedSealingKey) -> Result<Self, SealError> {
        seal(Unsealed::new::<P, T>(packet)?, to, None).map(Self::new)
    }

    /// Seals a packet, and signs inside that it is from this identity, for this recipient, made now: the recipient can check
    /// who wrote it, cannot pass it on to others as signed, and opens it only once.
    ///
    /// The packet is written before this returns; signing and sealing, some milliseconds, is done on a blocking thread once the
    /// future is polled.
    ///
    /// # Errors
    ///
    /// [`SealError`]: the packet cannot be written as JSON, the system gives no random numbers, or the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol};
    /// # use serde::{Deserialize, Serialize};
    /// use pnet::{Identity, OpenError, Opener, Sealed, SealingKey};
    ///
    /// #[derive(Packet, Serialize, Deserialize)]
    /// struct Note {
    ///     text: String,
    /// }
    /// # type SealedNote = Sealed<Note>;
    /// # protocol! { Post { client { SealedNote } } }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (ada, bob) = (Identity::generate_with(2048).await?, Identity::generate_with(2048).await?);
    /// # let key = SealingKey::generate_with(2048).await?;
    /// # let verified = key.announce(&bob).await?.verify(&bob.fingerprint())?;
    /// let opener = Opener::<Post>::new(&bob, key);
    /// let letter = Sealed::seal_signed::<Post>(&Note { text: "at noon".into() }, &verified, &ada).await?;
    ///
    /// let note: Note = opener.open_from(&letter, &ada.fingerprint()).await?;
    /// assert_eq!(note.text, "at noon");
    /// assert!(matches!(opener.open_from(&letter, &ada.fingerprint()).await, Err(OpenError::NotOpened)));
    /// # Ok(()) }
    /// ```
    pub fn seal_signed<P: Protocol>(
        packet: &T,
        to: &VerifiedSealingKey,
        from: &Identity,
    ) -> impl Future<Output = Result<Self, SealError>> + Send + use<T, P> {
        let unsealed = Unsealed::new::<P, T>(packet);
        let (to, from) = (to.clone(), from.clone());
        async move {
            let unsealed = unsealed?;
            let sealed = spawn_blocking(move || seal(unsealed, &to, Some(&from))).await;
            sealed.unwrap_or(Err(SealError::Interrupted)).map(Self::new)
        }
    }
}

fn seal(unsealed: Unsealed, to: &VerifiedSealingKey, from: Option<&Identity>) -> Result<Jwe, SealError> {
    let mut id = [0; ID_LEN];
    fill_random(&mut id).ok_or(SealError::Random)?;
    let heading = Heading { to: to.identity(), key: to.fingerprint(), created: SystemTime::now(), id };
    let text = unsealed.into_text(heading, from).ok_or(SealError::Random)?;
    Jwe::seal(to.key(), text).ok_or(SealError::Random)
}

/// Why a packet was not sealed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The packet cannot be written as JSON, which is what is sealed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The system gave no random numbers.
    #[error("nothing was sealed: the system gives no random numbers")]
    Random,
    /// The runtime ended meanwhile.
    #[error("nothing was sealed: the runtime is shutting down")]
    Interrupted,
}
