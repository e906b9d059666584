//! What was sealed as one packet is opened as another.

use pnet::{Fingerprint, OpenError, Opener, Sealed};
use sample::{Add, Chat, Sum};

pub async fn run(opener: Opener<Chat>, letter: Sealed<Add>, ada: Fingerprint) -> Result<i64, OpenError> {
    let sum: Sum = opener.open_from(&letter, &ada).await?;
    Ok(sum.sum)
}
