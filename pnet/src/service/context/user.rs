//! Who is at the other end of a connection, of a type that is the program's affair.

use std::{any::Any, fmt, sync::Arc};

/// Who a client is, of the type that its service's handler has made.
#[derive(Clone)]
pub struct User(pub(crate) Arc<dyn Any + Send + Sync>);

impl User {
    /// The user, if it is a `T`.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// Without what it is, which is the program's own affair.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(..)")
    }
}
