//! Reply and error have the same action.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Go;

#[derive(Packet, Serialize, Deserialize)]
pub struct Done;

#[derive(Packet, Serialize, Deserialize)]
#[packet("DONE")]
pub struct Failed;

protocol! {
    pub Net {
        client { Go -> Result<Done, Failed> }
    }
}
