//! The action is as long as an action may be, and `SEALED_` does not fit in front of it.

use pnet::{Packet, Sealed, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("AN_ACTION_OF_A_NAME_THAT_IS_LONG_BUT_NOT_LONGER_THAN_ONE_MAY_BE")]
pub struct Long {
    pub text: String,
}

pub type SealedLong = Sealed<Long>;

protocol! {
    pub Post {
        client { SealedLong }
    }
}
