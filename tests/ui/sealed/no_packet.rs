//! What is sealed is no packet.

use pnet::{SealError, Sealed, VerifiedSealingKey};
use sample::Chat;

pub fn run(bob: &VerifiedSealingKey) -> Result<(), SealError> {
    Sealed::seal::<Chat>(&"at noon".to_owned(), bob)?;
    Ok(())
}
