//! Packets that relays cannot read: sealed for one recipient, and signed by their sender where that matters.
//!
//! A [`SealingKey`] is announced by an identity ([`Announcement`]); whoever has verified that seals with it ([`Sealed`]), and
//! an [`Opener`] opens. `docs/sealed.md` in the repository has the format. `jwe` and `jws` are the two standard formats, as narrow as
//! they can be; `letter` is what is inside; `public` holds keys of others, `text` what both formats are made of. An opener
//! has `limits` (who may try how often), `replay` (what was opened before), and both keep what they know in a `recent` table.

mod announcement;
mod jwe;
mod jws;
mod key;
mod letter;
mod limits;
mod opened;
mod opener;
mod packet;
mod public;
mod recent;
mod replay;
mod seal;
mod text;

#[cfg(test)]
mod fixtures;

use std::time::{SystemTime, UNIX_EPOCH};

pub use self::{
    announcement::{Announcement, AnnouncementError, VerifiedSealingKey},
    key::SealingKey,
    opened::Opened,
    opener::{OpenError, Opener},
    packet::Sealed,
    seal::SealError,
};

/// Milliseconds since 1970; none for a clock that is before it.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
