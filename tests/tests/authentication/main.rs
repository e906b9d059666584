//! Who a client is: what it shows, who looks at it, what becomes of the answer.

mod asked;
mod refusals;
mod shown;
mod support;
mod user;
