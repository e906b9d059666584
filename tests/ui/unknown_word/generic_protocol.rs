//! A protocol with parameters.

use pnet::protocol;
use sample::Said;

protocol! {
    pub Net<T> {
        client { Said }
    }
}
