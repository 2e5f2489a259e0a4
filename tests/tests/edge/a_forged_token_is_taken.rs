//! The application accepts the same tokens as the server, and no others.

use pg_tenant_client::{Error, Refusal, TokenVerifier};
use pg_tenant_tests::shop::A;

use crate::signed::{Keys, SECRET, SECRET_2, hs, now, raw, secret_jwk, set, token};

fn claims(more: &str) -> String {
    format!(r#"{{"tenant_id":"{A}","exp":{}{more}}}"#, now() + 60)
}

fn verifier(keys: &[&str]) -> TokenVerifier {
    TokenVerifier::new(set(keys).as_bytes()).expect("keys")
}

fn refusal(verifier: &TokenVerifier, token: &str) -> Refusal {
    let error: Error = verifier.verify(token).expect_err(token);
    assert!(error.is_bad_token() && error.hint().is_some(), "{error}");
    let claims = token.split('.').nth(1).filter(|part| part.len() > 8).unwrap_or("no claims");
    assert!(!format!("{error} {error:?}").contains(claims), "{error:?}");
    error.refusal().expect("a code of ours")
}

#[test]
fn of_every_kind() {
    let keys = Keys::new();
    let all = TokenVerifier::new(keys.jwks().as_bytes()).unwrap();
    for kid in ["hs", "ed", "es", "rs"] {
        let ann = all.verify(&keys.sign(kid, &claims(r#","sub":"ann","role":"clerk""#))).unwrap();
        assert_eq!((ann.id().as_str(), ann.actor(), ann.role()), (A, Some("ann"), Some("clerk")), "{kid}");
    }
    let none = raw(r#"{"alg":"none","kid":"hs"}"#, &claims(""));
    assert_eq!(refusal(&all, &none), Refusal::UntrustedToken);
    assert_eq!(refusal(&all, "x"), Refusal::MalformedToken);
    assert_eq!(refusal(&all, &hs("hs", SECRET_2, &claims(""))), Refusal::UntrustedToken);
    let old = format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() - 1);
    assert_eq!(refusal(&all, &hs("hs", SECRET, &old)), Refusal::TokenExpired);
    assert!(all.clone().leeway(60).verify(&hs("hs", SECRET, &old)).is_ok());
    let early = claims(&format!(r#","nbf":{}"#, now() + 30));
    assert_eq!(refusal(&all, &hs("hs", SECRET, &early)), Refusal::TokenNotYetValid);
    assert_eq!(refusal(&all, &hs("hs", SECRET, &claims(r#","aud":"x""#))), Refusal::TokenNotForHere);
    assert!(all.clone().audience("x").verify(&hs("hs", SECRET, &claims(r#","aud":"x""#))).is_ok());
    assert_eq!(refusal(&all.clone().issuer("i"), &token(A, None, None)), Refusal::TokenNotForHere);
    let nameless = format!(r#"{{"exp":{}}}"#, now() + 60);
    assert_eq!(refusal(&all, &hs("hs", SECRET, &nameless)), Refusal::TokenClaimUnusable);
    let ours = claims(r#","org":"acme","who":"ann","as":"clerk""#);
    let named = all.tenant_claim("org").actor_claim("who").role_claim("as").verify(&hs("hs", SECRET, &ours)).unwrap();
    assert_eq!((named.id().as_str(), named.actor(), named.role()), ("acme", Some("ann"), Some("clerk")));
}

#[test]
fn for_what_is_no_tenant_id() {
    let verifier = verifier(&[&secret_jwk("hs", SECRET)]);
    let odd = format!(r#"{{"tenant_id":"a'; drop table orders","exp":{}}}"#, now() + 60);
    assert!(verifier.verify(&hs("hs", SECRET, &odd)).unwrap_err().is_malformed_id());
}

#[test]
fn with_a_key_that_was_taken_away() {
    let (one, two) = (secret_jwk("hs", SECRET), secret_jwk("hs2", SECRET_2));
    let verifier = verifier(&[&one]);
    let clone = verifier.clone();
    let by = |kid, secret| hs(kid, secret, &claims(""));
    assert!(verifier.verify(&by("hs2", SECRET_2)).is_err());
    verifier.reload(set(&[&one, &two]).as_bytes()).unwrap();
    assert!(clone.verify(&by("hs", SECRET)).is_ok() && clone.verify(&by("hs2", SECRET_2)).is_ok());
    assert!(verifier.reload(b"{}").unwrap_err().detail().is_some());
    assert!(clone.verify(&by("hs", SECRET)).is_ok(), "a bad set changes nothing");
    verifier.reload(set(&[&two]).as_bytes()).unwrap();
    assert_eq!(refusal(&clone, &by("hs", SECRET)), Refusal::UntrustedToken);
    let short = secret_jwk("hs", b"short");
    let bad = TokenVerifier::new(set(&[&short]).as_bytes()).unwrap_err();
    assert!(!format!("{bad} {bad:?} {verifier:?}").contains("c2hvcnQ"), "{bad:?}");
}
