//! A packet that borrows is sealed: what is opened is kept nowhere that it could borrow from.

use pnet::{SealError, Sealed, VerifiedSealingKey};
use sample::{Chat, Say};

pub fn run(bob: &VerifiedSealingKey) -> Result<(), SealError> {
    Sealed::seal::<Chat>(&Say { text: "at noon".into() }, bob)?;
    Ok(())
}
