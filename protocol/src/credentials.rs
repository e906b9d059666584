//! What a client shows to be let in: a value of the type that its protocol declares, as JSON in both dialects.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{limits::CREDENTIALS_LEN, secret::SecretBytes};

/// A type that can be a protocol's credentials: any that owns what it holds and that serde can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the credentials of a protocol, because serde does not know the type",
    label = "not both `Serialize` and `Deserialize`",
    note = "put `#[derive(Serialize, Deserialize)]` on the type; it may not borrow, and has to be `Send` and `'static`"
)]
pub trait Credentials: Send + Sized + 'static {
    /// The value as JSON text, as it travels.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if serde cannot write it, or it is longer than [`CREDENTIALS_LEN`].
    fn to_json(&self) -> Result<SecretBytes, CredentialsError>;

    /// Reads the value from JSON text. Nothing at all counts as `null`, so that types which have a meaning for that, such as
    /// `Option`, need not be shown.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::Unreadable`] if the text is no such value, [`CredentialsError::TooLong`] if it is longer than
    /// [`CREDENTIALS_LEN`], in which case it is not looked at.
    fn from_json(json: &[u8]) -> Result<Self, CredentialsError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Credentials for T {
    fn to_json(&self) -> Result<SecretBytes, CredentialsError> {
        // With room for all that may be sent, so that nothing is left behind where it would have grown.
        let mut json = Zeroizing::new(Vec::with_capacity(CREDENTIALS_LEN));
        serde_json::to_writer(&mut *json, self).map_err(|_| CredentialsError::Unwritable)?;
        if json.len() > CREDENTIALS_LEN {
            return Err(CredentialsError::TooLong { len: json.len() });
        }
        Ok(std::mem::take(&mut *json).into())
    }

    fn from_json(json: &[u8]) -> Result<Self, CredentialsError> {
        if json.len() > CREDENTIALS_LEN {
            return Err(CredentialsError::TooLong { len: json.len() });
        }
        let json = if json.is_empty() { b"null" } else { json };
        serde_json::from_slice(json)
            .map_err(|error| CredentialsError::Unreadable { line: error.line(), column: error.column() })
    }
}

/// The credentials of a protocol that declares none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NoCredentials;

impl Serialize for NoCredentials {
    fn serialize<S: serde::Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for NoCredentials {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(input).map(|_| Self)
    }
}

/// Why credentials could not be written or read. Says nothing of what they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// serde refused to write them: the caller's fault.
    #[error("the credentials cannot be written as JSON")]
    Unwritable,
    /// They are longer than [`CREDENTIALS_LEN`]: the fault of who writes them.
    #[error("the credentials are {len} bytes of JSON, of at most {CREDENTIALS_LEN}")]
    TooLong {
        /// How long they are, in bytes.
        len: usize,
    },
    /// They are no JSON, or not of the type that the protocol declares: the client's fault.
    #[error("the credentials do not fit the protocol's type: line {line}, column {column}")]
    Unreadable {
        /// Where reading failed, from 1.
        line: usize,
        /// Where in the line, from 1; 0 at its end.
        column: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let shown = ("ada".to_owned(), Some(5_u32));
        let json = shown.to_json().unwrap();
        assert_eq!(json.as_bytes(), br#"["ada",5]"#);
        assert_eq!(<(String, Option<u32>)>::from_json(json.as_bytes()), Ok(shown));
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(Option::<String>::from_json(b""), Ok(None));
        assert_eq!(<()>::from_json(b""), Ok(()));
        assert_eq!(String::from_json(b""), Err(CredentialsError::Unreadable { line: 1, column: 4 }));
    }

    #[test]
    fn errors_say_where_and_not_what() {
        let error = u32::from_json(b"\"swordfish\"").unwrap_err();
        assert_eq!(error, CredentialsError::Unreadable { line: 1, column: 11 });
        assert!(!format!("{error} {error:?}").contains("swordfish"));
    }

    #[test]
    fn has_a_greatest_length() {
        let fits = "x".repeat(CREDENTIALS_LEN - 2);
        assert_eq!(fits.to_json().unwrap().len(), CREDENTIALS_LEN);
        let error = CredentialsError::TooLong { len: CREDENTIALS_LEN + 1 };
        assert_eq!(format!("{fits}x").to_json(), Err(error));
        assert_eq!(String::from_json(format!("\"{fits}\"").as_bytes()), Ok(fits.clone()));
        assert_eq!(String::from_json(format!("\"{fits}x\"").as_bytes()), Err(error));
    }
}
