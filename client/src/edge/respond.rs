//! An error as a response: its status, and no word of what the server said.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};

use super::denied::body;
use crate::error::Error;

impl Error {
    /// The HTTP status for the client: 404 for a tenant that is unknown, was purged or does not know the actor, and for
    /// a text that cannot be a tenant id, 403 where the actor may not, 423 for one that is suspended or leaving, 401
    /// for a token that was refused, 429 for a limit of the pool or of a meter, 503 for a tenant that is being set up
    /// and where there is no connection or it was closed, 500 for everything else.
    pub fn http_status(&self) -> StatusCode {
        if self.is_unknown_tenant() || self.is_malformed_id() || self.is_purged() || self.is_not_member() {
            StatusCode::NOT_FOUND
        } else if self.is_suspended() || self.is_leaving() {
            StatusCode::LOCKED
        } else if self.is_not_permitted() {
            StatusCode::FORBIDDEN
        } else if self.is_bad_token() {
            StatusCode::UNAUTHORIZED
        } else if self.is_limited() || self.is_over_quota() {
            StatusCode::TOO_MANY_REQUESTS
        } else if self.is_timeout() || self.is_closed() || self.is_not_ready() || self.is_busy() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The response has the status and not the message, which may show values. The error itself is among the response's
/// extensions, as `Arc<Error>`, for a layer that logs it.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.http_status();
        let mut response = (status, [(CONTENT_TYPE, "application/json")], body(status)).into_response();
        if let Some(after) = self.retry_after() {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some(usage) = self.usage() {
            super::usage::tell(response.headers_mut(), &usage);
        }
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in a request that cannot be a tenant's is answered like the name of a tenant that does not exist.
    #[test]
    fn a_name_that_can_be_nobodys_is_nobodys() {
        let malformed = "acme'; drop table orders".parse::<crate::Tenant>().map_err(Error::malformed);
        assert_eq!(malformed.unwrap_err().http_status(), StatusCode::NOT_FOUND);
    }
}
