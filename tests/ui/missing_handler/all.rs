//! No handler at all: one error names all actions.

use pnet::actions;
use sample::Chat;

actions! { pub server Server for Chat: }
