//! What a server's users say about TLS: its keys, who has to use it, and how the keys are replaced.

use pnet_protocol::protocol::Phase;

use super::{ServerBuilder, ServerHandle};
use crate::{
    identity::{Certificates, Identity, KeyError},
    service::Service,
    transport::{TlsPolicy, tls::Acceptor},
};

impl<S: Service> ServerBuilder<S> {
    /// Shows this key to clients that trust keys (RFC 7250): those that have [pinned](crate::ClientBuilder::pin) it, or keep
    /// it among their [known hosts](crate::ClientBuilder::known_hosts). From then on TLS is
    /// [required](TlsPolicy::Required), unless [`tls`](Self::tls) says otherwise.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use pnet::{Packet, protocol, actions, action};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let identity = pnet::Identity::load_or_create("server.key").await?;
    /// println!("this server's key is {}", identity.fingerprint());
    /// let server = pnet::serve(QuizServer, ()).identity(identity).bind("0.0.0.0:25565").await?;
    /// # drop(server);
    /// # Ok(()) }
    /// ```
    pub fn identity(mut self, identity: Identity) -> Self {
        self.config.tls.keys.identity = Some(identity);
        self
    }

    /// Shows these certificates to clients that trust an authority: those with [roots](crate::ClientBuilder::roots), and
    /// programs in other languages. From then on TLS is [required](TlsPolicy::Required), unless [`tls`](Self::tls) says
    /// otherwise. A server may have an [`identity`](Self::identity), too; each client is shown what it asks for.
    pub fn certificates(mut self, certificates: Certificates) -> Self {
        self.config.tls.keys.certificates = Some(certificates);
        self
    }

    /// Who speaks TLS: everybody if there is an identity or a certificate, and else nobody, unless this says otherwise.
    pub const fn tls(mut self, policy: TlsPolicy) -> Self {
        self.config.tls.policy = Some(policy);
        self
    }
}

impl<P: Phase> ServerHandle<P> {
    /// Reads the files of the identity and of the certificates again. Connections that come from now on are shown what is
    /// there now; those that are open stay. What was not read from a file stays as it is.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if one of the files is bad; then all stays as it was. Files are replaced one after the other, so a
    /// certificate may not belong to its key for a moment: try again.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the keys are either all the old ones or all the new ones.
    pub async fn reload(&self) -> Result<(), KeyError> {
        let Some(acceptor) = self.core.acceptor.get().cloned() else { return Ok(()) };
        crate::identity::off_thread(move || acceptor.reload()).await
    }

    /// Shows another key to those who come from now on. Whether TLS is spoken at all was settled when the server began.
    pub fn set_identity(&self, identity: Identity) {
        self.set_keys(|acceptor| acceptor.set_keys(|keys| keys.identity = Some(identity)));
    }

    /// Shows other certificates to those who come from now on. Whether TLS is spoken at all was settled when the server
    /// began.
    pub fn set_certificates(&self, certificates: Certificates) {
        self.set_keys(|acceptor| acceptor.set_keys(|keys| keys.certificates = Some(certificates)));
    }

    fn set_keys(&self, set: impl FnOnce(&Acceptor)) {
        if let Some(acceptor) = self.core.acceptor.get() {
            set(acceptor);
        }
    }
}
