//! A packet is named where a protocol belongs.

use pnet::{SealError, Sealed, VerifiedSealingKey};
use sample::Add;

pub fn run(bob: &VerifiedSealingKey) -> Result<Sealed<Add>, SealError> {
    Sealed::seal::<Add>(&Add { a: 1, b: 2 }, bob)
}
