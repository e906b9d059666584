//! Sealed packets: the two formats, read and written by a second hand; what does not open, and that one cannot tell why; relays
//! in both dialects; files of sealing keys.

mod announcements;
mod canaries;
mod files;
mod letters;
mod relay;
mod support;
mod values;
