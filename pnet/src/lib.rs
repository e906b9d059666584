//! pnet
