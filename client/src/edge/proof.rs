//! What proves a tenant.

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::error::Error;
use crate::tenant::identity::Tenant;
use crate::tenant::verifier::TokenVerifier;

/// What proves the tenant of a request: a [`TokenVerifier`] for `Authorization: Bearer …`, a closure that looks at what
/// an outer layer has found out (a session), and with the feature `outbound` a signed header of another service.
pub trait Proof: Send + Sync + 'static {
    /// The tenant that the request proves; `None` where it carries no proof of this kind.
    ///
    /// # Errors
    /// The proof is invalid. The request is denied then, whatever other proofs it has.
    fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Error>;
}

impl<F> Proof for F
where
    F: Fn(&Parts) -> Result<Option<Tenant>, Error> + Send + Sync + 'static,
{
    fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Error> {
        self(request)
    }
}

impl Proof for TokenVerifier {
    fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Error> {
        let mut values = request.headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Error::malformed_token("It comes twice."));
        }
        let value = value.to_str().map_err(|_| Error::malformed_token("It is not ASCII."))?;
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.verify(token.trim()).map(Some),
            _ => Ok(None),
        }
    }
}

#[cfg(feature = "outbound")]
impl Proof for crate::propagation::outbound::Inbound {
    fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Error> {
        Ok(self.read(&request.headers)?.map(|hop| hop.tenant))
    }
}
