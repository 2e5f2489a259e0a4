//! What is said of a token that is not taken, and of a key set that is not: never with a part of either.

use crate::pg::boundary;
use crate::pg::report::Report;
use pg_tenant_core::Refusal;
use pg_tenant_token::Rejected;

/// The refusal of a token.
pub fn rejected(why: &Rejected) -> Report {
    let (refusal, message, hint) = match why {
        Rejected::Malformed(_) => {
            (Refusal::MalformedToken, "malformed token", "Pass the JWT as the issuer made it: header.claims.signature.")
        }
        Rejected::Untrusted(_) => (
            Refusal::UntrustedToken,
            "untrusted token",
            "Sign with a key that the file of pg_tenant.jwks_file has; after changing it: select pg_reload_conf();",
        ),
        Rejected::Expired(_) => (Refusal::TokenExpired, "token expired", "Get a fresh token from its issuer."),
        Rejected::NotYetValid(_) => (
            Refusal::TokenNotYetValid,
            "token not valid yet",
            "Compare the clocks of issuer and server; pg_tenant.jwt_leeway allows for a small difference.",
        ),
        Rejected::NotForHere(_) => (
            Refusal::TokenNotForHere,
            "token is not for this server",
            "Get a token for this server; what it must say is in pg_tenant.jwt_issuer and pg_tenant.jwt_audience.",
        ),
        Rejected::Claim { .. } => (
            Refusal::TokenClaimUnusable,
            "a claim of the token cannot be used",
            "Let the issuer set exp and the claims that pg_tenant.jwt_tenant_claim, jwt_actor_claim and jwt_role_claim \
             name.",
        ),
    };
    Report::new(refusal, message).detail(why.to_string()).hint(hint)
}

/// An actor or a role that the database's encoding has no characters for.
pub fn token_claim_not_in_encoding() -> Report {
    Report::new(Refusal::TokenClaimUnusable, "a claim of the token cannot be used")
        .detail("Its actor or role has characters beyond ASCII, and the database's encoding is not UTF8.")
        .hint("Use a database with encoding UTF8, or actors and roles in ASCII.")
}

/// The refusal of every token where there are no keys.
pub fn no_token_keys(configured: bool) -> Report {
    let (detail, hint) = if configured {
        (
            "The file that pg_tenant.jwks_file names could not be used; the server log says why.",
            "Mend the file, then: select pg_reload_conf();",
        )
    } else {
        (
            "pg_tenant.jwks_file is empty.",
            "A superuser names the file: alter system set pg_tenant.jwks_file = '<path>'; select pg_reload_conf();",
        )
    };
    Report::new(Refusal::NoTokenKeys, "no keys to verify tokens with").detail(detail).hint(hint)
}

/// The refusal of a token that everybody with the same role can read.
pub fn token_in_statement() -> Report {
    Report::new(Refusal::TokenInStatement, "the token stands in the text of the statement")
        .detail("Statements are shown in pg_stat_activity and written to logs; this token should not be used again.")
        .hint("Pass it as a parameter of the extended protocol: select tenant.enter_signed($1); in psql from 16 on, \\bind.")
}

/// Tells the administrator that the keys could not be read.
pub fn log_bad_key_set(path: &str, why: &str, kept: bool) {
    let then =
        if kept { "The keys read before stay in use." } else { "There are none from before: tokens are refused." };
    boundary::log_later(
        Report::new(Refusal::NoTokenKeys, format!("the key set in \"{path}\" is not used"))
            .detail(format!("{why} {then}"))
            .hint("Mend the file, then: select pg_reload_conf();")
            .hiding_statement(),
    );
}
