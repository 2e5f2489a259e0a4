//! The credentials of each new connection: for tokens that expire and passwords that change.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio_postgres::Config;
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Source};

/// The credentials of a new connection: a password, or a token in its place, and optionally another user. See
/// [`TenantPoolBuilder::credentials`](crate::TenantPoolBuilder::credentials).
///
/// The password is in no debug output and no error.
pub struct Credentials {
    user: Option<String>,
    password: Zeroizing<Vec<u8>>,
}

impl Credentials {
    /// A password, for the user of the configuration.
    pub fn password(password: impl Into<Vec<u8>>) -> Credentials {
        Credentials { user: None, password: Zeroizing::new(password.into()) }
    }

    /// Sets another user than the configuration's, as for a secret store that rotates between two roles.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    fn put_into(&self, config: &mut Config) {
        if let Some(user) = &self.user {
            config.user(user);
        }
        config.password(&*self.password);
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

type Asked = Pin<Box<dyn Future<Output = Result<Credentials, Source>> + Send>>;

#[derive(Clone)]
pub(crate) struct CredentialSource(Arc<dyn Fn() -> Asked + Send + Sync>);

impl CredentialSource {
    pub(crate) fn new<F, A, E>(ask: F) -> CredentialSource
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Source>,
    {
        CredentialSource(Arc::new(move || {
            let asked = ask();
            Box::pin(async move { asked.await.map_err(Into::into) })
        }))
    }

    /// Asks, and puts the answer into the configuration of one connection.
    pub(crate) async fn put_into(&self, config: &mut Config) -> Result<(), Error> {
        let credentials = (self.0)().await.map_err(|error| {
            Error::new(Kind::Config, "the pool was given no credentials to connect with")
                .with_detail(error.to_string())
                .with_source(error)
        })?;
        credentials.put_into(config);
        Ok(())
    }
}
