//! Attaching to the console of a running program.

use pnet::{
    Fingerprint,
    console::attach::{self, AttachError, Operator},
};

use crate::{
    exit::{Exit, Failure, explained},
    target::{Console, Place, identity},
};

impl Console {
    /// Attaches to the console.
    ///
    /// # Errors
    ///
    /// An option cannot be meant like this, a file cannot be read, nobody is there, or it is not to be trusted.
    pub(crate) async fn attach(&self) -> Result<Operator, Failure> {
        match self.place() {
            Place::Path(path) => self.attach_unix(&path).await,
            Place::Address(address) => {
                let (Some(pin), Some(file)) = (&self.pin, &self.identity) else {
                    return Err(Failure::usage(
                        "a console at HOST:PORT needs --pin with its key, and --identity with the operator's",
                    ));
                };
                let pin: Fingerprint = pin.parse().map_err(|error| Failure::usage(explained(&error)))?;
                Ok(attach::tls(address, identity(file).await?, pin).await?)
            }
        }
    }

    #[cfg(unix)]
    async fn attach_unix(&self, path: &std::path::Path) -> Result<Operator, Failure> {
        if self.pin.is_some() || self.identity.is_some() {
            return Err(Failure::usage("a socket needs no --pin and no --identity: the system says who is there"));
        }
        Ok(attach::unix(path).await?)
    }

    #[cfg(not(unix))]
    async fn attach_unix(&self, path: &std::path::Path) -> Result<Operator, Failure> {
        let _ = path;
        Err(Failure::usage("this system has no sockets of that kind: write HOST:PORT"))
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let exit = match &error {
            AttachError::TimedOut { .. } => Exit::TIMED_OUT,
            AttachError::Unsendable(_) => Exit::USAGE,
            _ => Exit::REFUSED,
        };
        Self::new(exit, explained(&error))
    }
}
