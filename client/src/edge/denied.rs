//! Why a request was denied, and what it is answered.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use pg_tenant_core::TenantStatus;

use crate::error::Error;

/// After how many seconds a tenant that is being set up is asked for again.
const RETRY_SECONDS: &str = "5";

/// Why a request was denied, in the order in which it is checked. The response has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// The request names no tenant, or a required source is missing: 400.
    NoTenant,
    /// The name of the tenant in the request is ambiguous, or cannot be read: 400.
    Ambiguous,
    /// The request has no proof of its tenant, or an invalid one: 401.
    Unproven,
    /// The request names another tenant than the one that it proves: 403.
    Mismatch,
    /// The registry has no such tenant: 404.
    Unknown,
    /// The tenant is being set up: 503, with `Retry-After`.
    NotReady,
    /// The tenant is suspended or leaving: 423.
    Suspended,
    /// The actor is a member of the tenant, and may not do this: 403.
    NotPermitted,
    /// The tenant has used as much of a meter as it may: 429.
    OverQuota,
    /// The registry could not be asked: 503.
    Unavailable,
}

impl Denied {
    /// Every reason, in order.
    pub const ALL: [Denied; 10] = [
        Denied::NoTenant,
        Denied::Ambiguous,
        Denied::Unproven,
        Denied::Mismatch,
        Denied::Unknown,
        Denied::NotReady,
        Denied::Suspended,
        Denied::NotPermitted,
        Denied::OverQuota,
        Denied::Unavailable,
    ];

    /// Why a tenant in this state is not let in: none where it is active or read-only. One that was purged is as one
    /// that never was.
    pub(super) fn of(status: TenantStatus) -> Option<Denied> {
        match status {
            TenantStatus::Active | TenantStatus::ReadOnly => None,
            TenantStatus::Provisioning => Some(Denied::NotReady),
            TenantStatus::Purged => Some(Denied::Unknown),
            _ => Some(Denied::Suspended),
        }
    }

    /// The HTTP status of the response, unless [`TenantLayer::status`](super::TenantLayer::status) sets another.
    pub fn status(self) -> StatusCode {
        match self {
            Denied::NoTenant | Denied::Ambiguous => StatusCode::BAD_REQUEST,
            Denied::Unproven => StatusCode::UNAUTHORIZED,
            Denied::Mismatch | Denied::NotPermitted => StatusCode::FORBIDDEN,
            Denied::Unknown => StatusCode::NOT_FOUND,
            Denied::Suspended => StatusCode::LOCKED,
            Denied::OverQuota => StatusCode::TOO_MANY_REQUESTS,
            Denied::NotReady | Denied::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What an error of the client says of a request whose proof was being looked up: 401 where a token, an id or a row is
/// none, 404 for a tenant that is unknown, was purged or does not know the actor, 403 where that may not do this, 423
/// for one that is suspended or leaving, 503 for one that is being set up and otherwise.
impl From<Error> for Denied {
    fn from(error: Error) -> Denied {
        if error.is_bad_token() || error.is_malformed_id() || error.is_no_row() {
            Denied::Unproven
        } else if error.is_over_quota() {
            Denied::OverQuota
        } else if error.is_not_permitted() {
            Denied::NotPermitted
        } else if error.is_unknown_tenant() || error.is_purged() || error.is_not_member() {
            Denied::Unknown
        } else if error.is_suspended() || error.is_leaving() {
            Denied::Suspended
        } else if error.is_not_ready() {
            Denied::NotReady
        } else {
            Denied::Unavailable
        }
    }
}

/// The statuses that were configured.
#[derive(Clone, Debug, Default)]
pub(super) struct Statuses(Vec<(Denied, StatusCode)>);

impl Statuses {
    pub(super) fn set(&mut self, denied: Denied, status: StatusCode) {
        self.0.retain(|(of, _)| *of != denied);
        self.0.push((denied, status));
    }

    /// The body depends on the status alone, so that reasons with the same status cannot be told apart.
    pub(super) fn respond<B: From<String>>(&self, denied: Denied) -> Response<B> {
        let status = self.0.iter().find(|(of, _)| *of == denied).map_or(denied.status(), |(_, status)| *status);
        let mut response = Response::new(B::from(body(status)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if denied == Denied::NotReady && status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        response.extensions_mut().insert(denied);
        response
    }
}

pub(super) fn body(status: StatusCode) -> String {
    let says = match status {
        StatusCode::BAD_REQUEST => "the request does not name its tenant",
        StatusCode::UNAUTHORIZED => "the request does not prove its tenant",
        StatusCode::FORBIDDEN => "the tenant named is not the tenant proven",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::LOCKED => "the tenant is suspended",
        StatusCode::SERVICE_UNAVAILABLE => "not available at this moment",
        status => status.canonical_reason().unwrap_or("refused"),
    };
    format!(r#"{{"error":"{says}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_with_the_same_status_cannot_be_told_apart() {
        let mut statuses = Statuses::default();
        statuses.set(Denied::Mismatch, StatusCode::GONE);
        statuses.set(Denied::Mismatch, StatusCode::NOT_FOUND);
        let (mismatch, unknown): (Response<String>, Response<String>) =
            (statuses.respond(Denied::Mismatch), statuses.respond(Denied::Unknown));
        assert_eq!(mismatch.status(), StatusCode::NOT_FOUND);
        assert_eq!((mismatch.status(), mismatch.body()), (unknown.status(), unknown.body()));
        assert_eq!(mismatch.headers(), unknown.headers());
    }

    #[test]
    fn who_must_sign_in_is_told_so() {
        let response: Response<String> = Statuses::default().respond(Denied::Unproven);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        for denied in Denied::ALL {
            let response: Response<String> = Statuses::default().respond(denied);
            assert!(response.status().is_client_error() || response.status().is_server_error());
            assert_eq!(response.extensions().get(), Some(&denied));
        }
    }
}
