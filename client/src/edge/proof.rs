//! What proves a tenant.

use futures_util::future::BoxFuture;
use http::request::Parts;

use super::credential::bearer;
use super::denied::Denied;
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

/// Proves the tenant of a request by looking it up: an opaque session in a store, an API key whose hash is in a
/// database. Every [`Proof`] is an `AsyncProof`.
///
/// Do not compare secrets with `==`: its time tells how many bytes were right. A key whose SHA-256 is looked up in an
/// index needs no comparison; where there is one, use `ring::constant_time` or the crate `subtle`.
///
/// ```no_run
/// use http::request::Parts;
/// use pg_tenant_client::edge::{AsyncProof, Denied, TenantLayer, cookie};
/// use pg_tenant_client::{Tenant, TenantPool, directory::Directory};
///
/// /// Sessions of the sign-in: random ids, of which the database has the hashes.
/// struct Sessions(TenantPool);
///
/// impl AsyncProof for Sessions {
///     async fn prove_async(&self, request: &Parts) -> Result<Option<Tenant>, Denied> {
///         let Some(session) = cookie(request, "session")? else { return Ok(None) };
///         // select tenant.allow_lookup('sessions', 'hash', 'sign-in'); gives the tenant and the row's id, no more.
///         let found = self.0.lookup("sessions", "hash", &sha256(session)).await?;
///         let [session] = &found[..] else { return Err(Denied::Unproven) };
///         let of = "select member from sessions where id = $1::text::int8 and expires > now()";
///         let row = self.0.tenant(session.tenant).query_opt(of, &[&session.row_id]).await?;
///         let member: String = row.ok_or(Denied::Unproven)?.get(0);
///         Ok(Some(Tenant::new(session.tenant).with_actor(member)))
///     }
/// }
///
/// # fn sha256(_: &str) -> String { String::new() }
/// # fn example(pool: TenantPool) {
/// let layer = TenantLayer::new(Directory::new(pool.clone()), Sessions(pool));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not prove the tenant of a request",
    note = "implement `AsyncProof`, or `Proof` where nothing is waited for; a closure is a `Proof`: `|request: &Parts| -> Result<Option<Tenant>, Error>`"
)]
pub trait AsyncProof: Send + Sync + 'static {
    /// The tenant that the request proves; `None` where it carries no proof of this kind.
    ///
    /// # Errors
    /// [`Denied::Unproven`] where the proof is invalid, [`Denied::Unavailable`] where it could not be looked up. `?`
    /// turns the client's errors into these. The request is denied then, whatever other proofs it has.
    fn prove_async(&self, request: &Parts) -> impl Future<Output = Result<Option<Tenant>, Denied>> + Send;
}

#[diagnostic::do_not_recommend]
impl<P: Proof> AsyncProof for P {
    async fn prove_async(&self, request: &Parts) -> Result<Option<Tenant>, Denied> {
        self.prove(request).map_err(|_| Denied::Unproven)
    }
}

/// An [`AsyncProof`] of any type.
pub(super) trait DynProof: Send + Sync {
    fn prove<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Option<Tenant>, Denied>>;
}

impl<P: AsyncProof> DynProof for P {
    fn prove<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Option<Tenant>, Denied>> {
        Box::pin(self.prove_async(request))
    }
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
        let token = bearer(request).map_err(|_| Error::malformed_token("It comes twice, or is not ASCII."))?;
        token.map(|token| self.verify(token)).transpose()
    }
}

#[cfg(feature = "outbound")]
impl Proof for crate::propagation::outbound::Inbound {
    fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Error> {
        Ok(self.read(&request.headers)?.map(|hop| hop.tenant))
    }
}
