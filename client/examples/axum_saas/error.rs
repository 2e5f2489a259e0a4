//! What a client is told of what went wrong.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pg_tenant_client::Error;
use serde_json::json;

pub type Answer<T> = Result<T, Refused>;

#[derive(Debug)]
pub enum Refused {
    /// There is none in this tenant. Whether there is one elsewhere nobody can tell, this program included.
    NotFound,
    /// An operator has not said why.
    NoReason,
    /// Who asks may not.
    Forbidden,
    /// Sign-in failed; why is not said.
    Unknown,
    /// The tenant is being set up.
    NotReady,
    /// There is one of this name.
    Taken,
    /// No column holds such a value: too long, out of range, a zero byte.
    Malformed,
    Database(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        match error.code() {
            // It refers to what is not there, or not in this tenant: the keys have the tenant in them.
            Some("23503") => Refused::NotFound,
            Some("23505" | "TN050") => Refused::Taken,
            Some("22001" | "22003" | "22021" | "TN053") => Refused::Malformed,
            _ => Refused::Database(error),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, says) = match self {
            Refused::NotFound => (StatusCode::NOT_FOUND, "not found"),
            Refused::NoReason => (StatusCode::BAD_REQUEST, "say why: ?reason=…"),
            Refused::Forbidden => (StatusCode::FORBIDDEN, "not without the header x-confirm: all tenants"),
            Refused::Unknown => (StatusCode::UNAUTHORIZED, "unknown tenant, address or key"),
            Refused::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "being set up, try again in a moment"),
            Refused::Taken => (StatusCode::CONFLICT, "there is one of this name"),
            Refused::Malformed => (StatusCode::BAD_REQUEST, "a value that cannot be kept"),
            Refused::Database(error) => {
                eprintln!("{error}");
                return error.into_response();
            }
        };
        (status, Json(json!({"error": says}))).into_response()
    }
}
