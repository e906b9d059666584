//! A client that does not handle what the server sends.

use pnet::actions;
use sample::Chat;

actions! { pub client Ui for Chat }
