//! Opening: what the recipient does.

use std::{
    fmt,
    hash::Hash,
    marker::PhantomData,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use pnet_protocol::{key::Fingerprint, packet::OwnedPacket, protocol::Protocol};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::{
    Opened, Sealed, SealingKey,
    letter::Read,
    limits::{Source, Sources},
    replay::Replay,
};

/// Opens what was sealed for one sealing key, and remembers what it has opened.
///
/// Keep one for as long as the program runs, in its state: a second one of the same key would open signed packets a second time.
///
/// - **Opening is work**, about ten milliseconds with a key of 3072 bits. It is done on blocking threads, by half of the cores at
///   most, and 64 more may wait: [`OpenError::Busy`].
/// - **A source may try** 32 times a second, and fail 100 times an hour: [`OpenError::TooMany`]. 4,096 sources are remembered,
///   after which the one that was quiet for longest is forgotten.
/// - **Why it failed is told to nobody**, neither by the error nor by the time that it takes: an error comes a quarter of a
///   second after it was asked for, or after a whole number of them. Do not tell the sender either.
/// - **A signed packet is opened once.** Of each sender the ids of the newest 4,096 are kept, and older ones are refused; of
///   1,024 senders, after which the quietest is forgotten and all that is not newer than its newest is refused of any unknown
///   sender. Packets that were made more than 60 s in the future are refused, and those that were made before the
///   opener was, since nobody remembers what was opened then: [`accepting_since`](Self::accepting_since). So clocks must agree to
///   some seconds: a sender whose clock goes behind may be refused, and what one whose clock goes ahead by some seconds has
///   sent can be opened again by an opener that is made within these seconds. Of packets without a signature none of this
///   holds.
///
/// # Examples
///
/// One in the state of a client, whose handler opens what the relay passes on:
///
/// ```
/// use pnet::{Announcement, Fingerprint, Identity, Opener, Packet, Sealed, SealingKey, action, actions, protocol};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Note {
///     text: String,
/// }
///
/// type SealedNote = Sealed<Note>;
///
/// protocol! {
///     Post {
///         client { SealedNote }
///         server { SealedNote }
///     }
/// }
///
/// struct App {
///     opener: Opener<Post>,
///     friend: Fingerprint,
/// }
///
/// #[action("SEALED_NOTE", concurrent)]
/// async fn letter(p: SealedNote, app: &App) {
///     match app.opener.open_from(&p, &app.friend).await {
///         Ok(note) => println!("{}", note.text),
///         // What was wrong is not known. Nobody is answered.
///         Err(error) => eprintln!("{error}"),
///     }
/// }
///
/// actions! { client Mailbox(App) for Post: letter }
///
/// async fn open_mailbox(friend: Fingerprint) -> Result<(App, Announcement), pnet::KeyError> {
///     let me = Identity::load_or_create("me.key").await?;
///     let key = SealingKey::load_or_create("me.sealing.key").await?;
///     let announcement = key.announce(&me).await?;
///     Ok((App { opener: Opener::new(&me, key), friend }, announcement))
/// }
/// ```
pub struct Opener<P> {
    to: Fingerprint,
    key: SealingKey,
    limits: Arc<Sources>,
    replay: Replay,
    /// Who works.
    pool: Arc<Semaphore>,
    /// Who works or waits.
    places: Arc<Semaphore>,
    of: PhantomData<fn() -> P>,
}

impl<P: Protocol> Opener<P> {
    /// Opens what was sealed for this key as that of this identity, which is given itself or by its fingerprint. `P` is the
    /// protocol that senders name.
    #[must_use]
    pub fn new(identity: impl Into<Fingerprint>, key: SealingKey) -> Self {
        let workers = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        Self {
            to: identity.into(),
            key,
            limits: Arc::new(Sources::new(MAX_SOURCES)),
            replay: Replay::new(SystemTime::now()),
            pool: Arc::new(Semaphore::new(workers)),
            places: Arc::new(Semaphore::new(workers + MAX_WAITING)),
            of: PhantomData,
        }
    }

    /// Opens signed packets that were made since then, instead of since this opener was made: those that a relay has kept while
    /// the program was not running.
    ///
    /// What an earlier run has opened since then can be **opened again**, once: remember ids yourself if that does harm.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Fingerprint, Opener, Protocol, SealingKey};
    /// use std::time::{Duration, SystemTime};
    ///
    /// # fn example<Post: Protocol>(me: Fingerprint, key: SealingKey) -> Opener<Post> {
    /// // The relay keeps letters for a week.
    /// let week = Duration::from_secs(7 * 24 * 3600);
    /// Opener::<Post>::new(me, key).accepting_since(SystemTime::now() - week)
    /// # }
    /// ```
    #[must_use]
    pub fn accepting_since(mut self, time: SystemTime) -> Self {
        self.replay = Replay::new(time);
        self
    }

    /// Opens a packet that must be signed by the identity with this fingerprint, which is also the source that is counted.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotOpened`], whatever is wrong with the packet; [`OpenError::TooMany`] and [`OpenError::Busy`] before
    /// anything of it was looked at.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is remembered but the try: the same packet can still be opened.
    pub async fn open_from<T: OwnedPacket>(&self, sealed: &Sealed<T>, from: &Fingerprint) -> Result<T, OpenError> {
        let source = self.limits.source(from);
        self.open_as(sealed, source, Some(*from)).await.map(Opened::into_packet)
    }

    /// Opens a packet of anybody, signed or not: [`Opened::sender`] says who has signed it.
    ///
    /// `source` is whatever the program knows of where it came from: the connection, or who the relay says it is from. It is
    /// used for nothing but to count tries and failures.
    ///
    /// # Errors
    ///
    /// As [`open_from`](Self::open_from).
    ///
    /// # Cancel safety
    ///
    /// As [`open_from`](Self::open_from).
    pub async fn open<T: OwnedPacket>(
        &self,
        sealed: &Sealed<T>,
        source: &(impl Hash + ?Sized),
    ) -> Result<Opened<T>, OpenError> {
        let source = self.limits.source(source);
        self.open_as(sealed, source, None).await
    }

    async fn open_as<T: OwnedPacket>(
        &self,
        sealed: &Sealed<T>,
        source: Source,
        from: Option<Fingerprint>,
    ) -> Result<Opened<T>, OpenError> {
        let begun = Instant::now();
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| OpenError::Busy)?;
        if !self.limits.tries(source, Instant::now()) {
            return Err(OpenError::TooMany);
        }
        let worker = Arc::clone(&self.pool).acquire_owned().await.map_err(|_| OpenError::Busy)?;
        let (jwe, key, to) = (sealed.jwe.clone(), self.key.clone(), self.to);
        let mut failure = FailedTry { limits: Arc::clone(&self.limits), source, is_one: true };
        // It goes on if the future is dropped: so does what bounds it, and so is its failure counted.
        let work = move || {
            let _bounds = (place, worker);
            let text = jwe.open(&key)?;
            let read = Read::<T>::from_text::<P>(&text, to, key.fingerprint(), from)?;
            failure.take_back();
            Some(read)
        };
        let read = spawn_blocking(work).await.ok().flatten();
        if let Some(read) = read {
            let is_new =
                read.sender.is_none_or(|sender| self.replay.is_new(sender, (read.created, read.id), SystemTime::now()));
            if is_new {
                return Ok(Opened::new(read));
            }
            self.limits.failed(source, Instant::now());
        }
        // How long the work took shows how far it came; how long it waited shows how far another's came.
        let steps = begun.elapsed().as_millis() / STEP.as_millis() + 1;
        sleep_until(begun + STEP * u32::try_from(steps).unwrap_or(u32::MAX)).await;
        tracing::debug!("a sealed packet was not opened");
        Err(OpenError::NotOpened)
    }
}

impl<P> fmt::Debug for Opener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("identity", &self.to).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A try that has failed unless it says otherwise, also where the packet's own code panics.
struct FailedTry {
    limits: Arc<Sources>,
    source: Source,
    is_one: bool,
}

impl FailedTry {
    const fn take_back(&mut self) {
        self.is_one = false;
    }
}

impl Drop for FailedTry {
    fn drop(&mut self) {
        if self.is_one {
            self.limits.failed(self.source, Instant::now());
        }
    }
}

/// Why a sealed packet was not opened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// It is not for this recipient, not of this type or protocol, not by that sender, was changed, was opened before, is too
    /// old, or is none at all. Which of these it is is not known to anybody.
    #[error("the sealed packet could not be opened")]
    NotOpened,
    /// Nothing was looked at: as much as may wait is waiting to be opened. The packet may be opened later.
    #[error("the sealed packet was not opened: too many others are waiting")]
    Busy,
    /// Nothing was looked at: its source has tried too often, or failed too often. The packet may be opened later.
    #[error("the sealed packet was not opened: there were too many from its source")]
    TooMany,
}

/// Errors come at whole steps after the opening was asked for. Opening with a key of 4096 bits takes a tenth of one.
const STEP: Duration = Duration::from_millis(250);
const MAX_WAITING: usize = 64;
const MAX_SOURCES: usize = 4096;

#[cfg(test)]
mod tests;
