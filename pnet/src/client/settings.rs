//! The settings that all builders of clients have, whether they know the protocol's type or not.

/// The settings; `self.config` is a [`ClientConfig`](super::ClientConfig).
macro_rules! connection_settings {
    () => {
        /// What this side takes from the server: frame length, open calls, unhandled packets. See [`Limits`](crate::Limits); more than
        /// 32,768 calls or packets are lowered to that.
        pub fn limits(mut self, limits: $crate::Limits) -> Self {
            self.config.limits = $crate::config::bounded(limits);
            self
        }

        /// How long a call waits for its answer unless it says otherwise: 30 s by default, `None` for as long as the
        /// connection lives.
        pub const fn call_timeout(mut self, timeout: Option<::std::time::Duration>) -> Self {
            self.config.call_timeout = timeout;
            self
        }

        /// How long the server may take to welcome this client, its connect handler included; 5 s by default.
        pub const fn handshake_timeout(mut self, timeout: ::std::time::Duration) -> Self {
            self.config.handshake_timeout = timeout;
            self
        }

        /// How often this client wishes each side of the connection to speak at least, from 1 s to 1 h. The server takes
        /// the shorter of this and its own [`heartbeat`](crate::ServerBuilder::heartbeat), unless that is off.
        /// [`Duration::ZERO`](std::time::Duration::ZERO), the default, is no wish.
        ///
        /// Who is not heard for three times as long is gone: the connection ends with
        /// [`CloseCode::Timeout`](crate::CloseCode::Timeout).
        pub fn heartbeat(mut self, every: ::std::time::Duration) -> Self {
            self.config.heartbeat_ms = $crate::config::heartbeat_ms(every);
            self
        }

        /// How many bytes a packet may have to a server of the old form, such as the Python library's, which reads one packet at a
        /// time: 1,024 unless this says otherwise, the line end included, and at least 256. A longer one is
        /// [`TooLong`](crate::SendError::TooLong). Other servers say by themselves what they take.
        pub const fn old_packet_bytes(mut self, bytes: u32) -> Self {
            self.config.old_packet_bytes = bytes;
            self
        }

        /// Allows a server beyond loopback, although everything travels in plain text.
        pub const fn plaintext_on_network(mut self) -> Self {
            self.config.plaintext_on_network = true;
            self
        }

        /// Allows [credentials](Self::credentials) to travel in plain text beyond this machine, where whoever stands between
        /// can read and use them.
        pub const fn plaintext_credentials(mut self) -> Self {
            self.config.plaintext_credentials = true;
            self
        }

        /// Shows this key to the server (RFC 7250), which knows the client by it: [`Peer::key`](crate::Peer::key). Goes with
        /// [`pin`](Self::pin), [`known_hosts`](Self::known_hosts), [`roots`](Self::roots) or
        /// [`system_roots`](Self::system_roots), since a key is shown to a server that is trusted.
        #[cfg(feature = "tls")]
        pub fn identity(mut self, identity: $crate::Identity) -> Self {
            self.config.tls.identity = Some(identity);
            self
        }

        /// Connects with TLS, to a server that has this key: a [`Fingerprint`](crate::Fingerprint), or its text (`"SHA256:…"`), which the server
        /// prints. Of several any will do, so that a new key can be pinned before the server takes it.
        ///
        /// A text that is no fingerprint is an error of connecting. Pins exclude other ways to trust.
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # use pnet::{Packet, protocol, actions};
        /// # use serde::{Serialize, Deserialize};
        /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
        /// # protocol! { pub Quiz { client { Ask } } }
        /// # actions! { pub client Ui for Quiz: }
        /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
        /// let quiz = pnet::connect(Ui, ())
        ///     .pin("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
        ///     .to("quiz.example.com:25565")
        ///     .await?;
        /// # drop(quiz);
        /// # Ok(()) }
        /// ```
        #[cfg(feature = "tls")]
        pub fn pin<F>(mut self, fingerprint: F) -> Self
        where
            F: TryInto<$crate::Fingerprint>,
            F::Error: Into<$crate::FingerprintError>,
        {
            self.config.tls.pin(fingerprint.try_into().map_err(Into::into));
            self
        }

        /// Connects with TLS, to a server whose key is in this file; a server that is not in it is trusted once, and its key
        /// is stored. From then on another key is an error that names both, as with SSH.
        ///
        /// A line is `HOST:PORT SHA256:…`, with the server as it was dialled. The file and its folder have to be writable:
        /// a key that cannot be stored is an error. Lines that cannot be read are kept and warned of. Several programs may
        /// use one file at the same time.
        ///
        /// The first contact proves nothing: compare what was stored with what the server prints. A client that
        /// [reconnects](crate::ClientBuilder::reconnect) keeps to the first key that it has seen, whatever becomes of the file.
        #[cfg(feature = "tls")]
        pub fn known_hosts(mut self, file: impl Into<::std::path::PathBuf>) -> Self {
            self.config.tls.known_hosts = Some(file.into());
            self
        }

        /// Connects with TLS, to a server with a certificate that one of these authorities has issued, in PEM. Several calls
        /// add up.
        ///
        /// The certificate has to be for the host that is connected to, or for the [`server_name`](Self::server_name).
        #[cfg(feature = "tls")]
        pub fn roots(mut self, pem: impl AsRef<[u8]>) -> Self {
            self.config.tls.roots.push(pem.as_ref().to_owned());
            self
        }

        /// The same with the authorities that this system trusts. On Linux they come with the package `ca-certificates`;
        /// `SSL_CERT_FILE` names others.
        #[cfg(feature = "tls")]
        pub const fn system_roots(mut self) -> Self {
            self.config.tls.system_roots = true;
            self
        }

        /// Which name, or IP address, the server's certificate has to be for, if it is not the host that is connected to.
        #[cfg(feature = "tls")]
        pub fn server_name(mut self, name: impl Into<String>) -> Self {
            self.config.tls.server_name = Some(name.into());
            self
        }
    };
}

pub(crate) use connection_settings;
