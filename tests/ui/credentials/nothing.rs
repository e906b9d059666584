//! No type follows the word.

use pnet::protocol;
use sample::gate::Ask;

protocol! {
    pub Gate {
        credentials;
        client { Ask }
    }
}
