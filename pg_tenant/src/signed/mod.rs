//! What a signed token says, once it is verified.
//!
//! - [`verifier`]: the keys, the rules and the tokens that this backend has verified.
//! - [`key_file`]: the file with the keys, and who may write and read it.
//! - [`refusals`]: what is said of a token that is not taken, never with a part of it.

mod key_file;
mod refusals;
mod verifier;

pub use verifier::{init, verify};

use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::statement;
use pg_tenant_token::Rejected;

/// Shorter texts cannot be tokens, and may stand in any statement.
const SHORTEST: usize = 32;

/// Hides the statement where the token stands in it; where the role must sign, refuses it (`TN098`).
pub fn keep_secret(token: &str) -> Outcome<()> {
    if token.len() < SHORTEST || !statement::contains(token) {
        return Ok(());
    }
    statement::hide();
    if gucs::require_signed() { Err(refusals::token_in_statement()) } else { Ok(()) }
}

/// The refusal of a null in place of a token.
pub fn no_token() -> Report {
    refusals::rejected(&Rejected::Malformed("it is null"))
}

/// Why a session that begins now could verify no token; none where it can.
pub fn keys_missing() -> Option<String> {
    match gucs::jwks_file() {
        None => Some("pg_tenant.jwks_file is empty.".into()),
        Some(path) => key_file::read(&path).err(),
    }
}

/// Who else could put other keys in the place of ours; none where nobody could, or there is no file.
pub fn keys_replaceable() -> Option<String> {
    key_file::way_to_replace(&gucs::jwks_file()?)
}
