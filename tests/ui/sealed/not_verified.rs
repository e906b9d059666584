//! Sealed for an announcement that nobody has verified.

use pnet::{Announcement, SealError, Sealed};
use sample::{Add, Chat};

pub fn run(announcement: &Announcement) -> Result<Sealed<Add>, SealError> {
    Sealed::seal::<Chat>(&Add { a: 1, b: 2 }, announcement)
}
