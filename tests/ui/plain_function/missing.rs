//! A listed function that does not exist.

use pnet::actions;
use sample::Math;

actions! { pub server Server for Math: add }
