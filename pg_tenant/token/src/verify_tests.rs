//! Each mistake that was made elsewhere, with a token that is right but for it.

use crate::{Algorithm, Grant, KeySet, MAX_LEN, Rejected, Rules, Signer, base64url, verify};
use proptest::prelude::*;
use ring::hmac;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes....";
const OTHER: &[u8] = b"another one of thirty-two bytes.";
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn secret(kid: &str, secret: &[u8]) -> String {
    format!(r#"{{"kty":"oct","kid":"{kid}","k":"{}"}}"#, base64url::encode(secret))
}

fn set(keys: &[&str]) -> Result<KeySet, crate::BadKeySet> {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

fn keys() -> KeySet {
    set(&[&secret("a", SECRET), &secret("b", OTHER), ED25519]).unwrap()
}

/// Any header, any claims, signed with `SECRET`.
fn raw(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(claims.as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", base64url::encode(signature.as_ref()))
}

fn with_claims(claims: &str) -> String {
    raw(r#"{"alg":"HS256","kid":"a"}"#, claims)
}

fn good() -> String {
    with_claims(&format!(r#"{{"tenant_id":"acme","sub":"ann","exp":{}}}"#, NOW + 60))
}

fn check(token: &str) -> Result<crate::Verified, Rejected> {
    verify(token, &keys(), &Rules::default(), NOW)
}

fn is_claim(answer: Result<crate::Verified, Rejected>, expected: &str) -> bool {
    matches!(answer, Err(Rejected::Claim { name, .. }) if name == expected)
}

#[test]
fn a_good_token_is_refused() {
    let verified = check(&good()).unwrap();
    assert_eq!((verified.tenant.as_str(), verified.actor.as_deref(), verified.role), ("acme", Some("ann"), None));
    let number = with_claims(&format!(r#"{{"tenant_id":42,"exp":{}}}"#, NOW + 60));
    assert_eq!(check(&number).unwrap().tenant, "42");
    let grant =
        Grant { tenant: "acme", actor: Some("ann"), role: Some("r"), issuer: None, audience: None, expires: NOW + 1 };
    let ours = Signer::hs256(Some("b"), OTHER).unwrap().sign(&grant);
    assert_eq!(check(&ours).unwrap().role.as_deref(), Some("r"));
}

#[test]
fn the_header_chooses_the_algorithm() {
    let claims = format!(r#"{{"tenant_id":"acme","exp":{}}}"#, NOW + 60);
    for alg in ["none", "None", "NONE", "", "hs256", "HS384", "RS256", "ES256", "EdDSA"] {
        let token = raw(&format!(r#"{{"alg":"{alg}","kid":"a"}}"#), &claims);
        assert!(matches!(check(&token), Err(Rejected::Untrusted(_))), "{alg}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert!(matches!(check(&unsigned), Err(Rejected::Untrusted(_))), "{alg}, no signature");
    }
    // The public key as a secret: signed with HMAC, for a key that is Ed25519.
    let message =
        format!("{}.{}", base64url::encode(br#"{"alg":"HS256","kid":"ed"}"#), base64url::encode(claims.as_bytes()));
    for public in [
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".as_bytes().to_vec(),
        base64url::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap(),
    ] {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), message.as_bytes());
        let token = format!("{message}.{}", base64url::encode(signature.as_ref()));
        assert!(matches!(check(&token), Err(Rejected::Untrusted(_))));
    }
    assert_eq!(keys().algorithms().next(), Some(Algorithm::Hs256));
}

#[test]
fn another_key_signed_it() {
    let claims = format!(r#"{{"tenant_id":"acme","exp":{}}}"#, NOW + 60);
    for header in [r#"{"alg":"HS256","kid":"b"}"#, r#"{"alg":"HS256","kid":"c"}"#, r#"{"alg":"HS256"}"#] {
        assert!(matches!(check(&raw(header, &claims)), Err(Rejected::Untrusted(_))), "{header}");
    }
    // The only key need not be named, but a name that it has not is another key's.
    let only = set(&[&secret("a", SECRET)]).unwrap();
    let ask = |header: &str| verify(&raw(header, &claims), &only, &Rules::default(), NOW);
    assert!(ask(r#"{"alg":"HS256"}"#).is_ok());
    assert!(matches!(ask(r#"{"alg":"HS256","kid":"b"}"#), Err(Rejected::Untrusted(_))));
}

#[test]
fn it_can_be_read_in_two_ways() {
    let time = format!("\"exp\":{}", NOW + 60);
    for claims in [
        format!(r#"{{"tenant_id":"acme","tenant_id":"globex",{time}}}"#),
        format!(r#"{{"tenant_id":"acme","tenant\u005fid":"globex",{time}}}"#),
        format!(r#"{{"tenant_id":"acme",{time},{time}}}"#),
        format!(r#"[{{"tenant_id":"acme",{time}}}]"#),
    ] {
        assert!(matches!(check(&with_claims(&claims)), Err(Rejected::Malformed(_))), "{claims}");
    }
    let claims = format!(r#"{{"tenant_id":"acme",{time}}}"#);
    for header in [
        r#"{"alg":"HS256","alg":"HS256","kid":"a"}"#,
        r#"{"alg":"HS256","kid":"a","crit":["exp"]}"#,
        r#"{"alg":"HS256","kid":"a","crit":null}"#,
        r#"{"alg":"HS256","kid":1}"#,
        r#"{"kid":"a"}"#,
    ] {
        assert!(matches!(check(&raw(header, &claims)), Err(Rejected::Malformed(_))), "{header}");
    }
    let good = good();
    let long = with_claims(&format!(r#"{{"tenant_id":"acme",{time},"pad":"{}"}}"#, "x".repeat(MAX_LEN)));
    for token in [format!("{good}.x"), format!("{good}="), format!(" {good}"), good.replacen('.', "", 1), long] {
        assert!(matches!(check(&token), Err(Rejected::Malformed(_))), "{token}");
    }
}

#[test]
fn it_has_no_end() {
    for exp in ["", r#","exp":null"#] {
        assert!(is_claim(check(&with_claims(&format!(r#"{{"tenant_id":"acme"{exp}}}"#))), "exp"), "{exp}");
    }
    for exp in ["\"1900000000\"", "true", "[1900000000]"] {
        assert!(is_claim(check(&with_claims(&format!(r#"{{"tenant_id":"acme","exp":{exp}}}"#))), "exp"), "{exp}");
    }
}

#[test]
fn its_time_is_over_or_has_not_come() {
    let token = |times: &str| with_claims(&format!(r#"{{"tenant_id":"acme",{times}}}"#));
    let at = |token: &str, leeway, now| verify(token, &keys(), &Rules { leeway, ..Rules::default() }, now).map(drop);
    let ends = token(&format!("\"exp\":{NOW}"));
    assert_eq!(at(&ends, 0, NOW - 1), Ok(()));
    assert_eq!(at(&ends, 0, NOW), Err(Rejected::Expired(0)));
    assert_eq!(at(&ends, 5, NOW + 4), Ok(()));
    assert_eq!(at(&ends, 5, NOW + 5), Err(Rejected::Expired(5)));
    let begins = token(&format!("\"exp\":{},\"nbf\":{NOW}", NOW + 60));
    assert_eq!(at(&begins, 0, NOW), Ok(()));
    assert_eq!(at(&begins, 0, NOW - 1), Err(Rejected::NotYetValid(1)));
    assert_eq!(at(&begins, 1, NOW - 1), Ok(()));
    // A fraction, and numbers that no clock reaches.
    assert_eq!(at(&token(&format!("\"exp\":{NOW}.9")), 0, NOW), Err(Rejected::Expired(0)));
    assert_eq!(at(&token("\"exp\":1e300"), 300, NOW), Ok(()));
    assert!(at(&token("\"exp\":-1e300"), 300, NOW).is_err());
    assert!(at(&token("\"exp\":18446744073709551615,\"nbf\":18446744073709551615"), 300, NOW).is_err());
    // Verified once, asked again.
    let verified = verify(&ends, &keys(), &Rules::default(), NOW - 1).unwrap();
    assert_eq!(verified.check_time(0, NOW - 1), Ok(()));
    assert_eq!(verified.check_time(0, NOW), Err(Rejected::Expired(0)));
}

#[test]
fn it_was_made_for_somebody_else() {
    let token = |claims: &str| with_claims(&format!(r#"{{"tenant_id":"acme","exp":{}{claims}}}"#, NOW + 60));
    let ask = |issuer: Option<&str>, audience: Option<&str>, claims: &str| {
        let (issuer, audience) = (issuer.map(str::to_owned), audience.map(str::to_owned));
        verify(&token(claims), &keys(), &Rules { issuer, audience, ..Rules::default() }, NOW)
    };
    for claims in [r#","aud":"db""#, r#","aud":["x","db"]"#] {
        assert!(ask(None, Some("db"), claims).is_ok(), "{claims}");
        assert!(matches!(ask(None, None, claims), Err(Rejected::NotForHere(_))), "{claims}: nobody knows whose");
    }
    for claims in ["", r#","aud":"db2""#, r#","aud":[]"#, r#","aud":[["db"]]"#, r#","aud":{"db":1}"#, r#","aud":1"#] {
        assert!(matches!(ask(None, Some("db"), claims), Err(Rejected::NotForHere(_))), "{claims}");
    }
    assert!(ask(Some("i"), None, r#","iss":"i""#).is_ok());
    for claims in ["", r#","iss":"j""#, r#","iss":["i"]"#] {
        assert!(matches!(ask(Some("i"), None, claims), Err(Rejected::NotForHere(_))), "{claims}");
    }
}

#[test]
fn its_names_cannot_be_used() {
    let token = |claims: &str| with_claims(&format!(r#"{{"exp":{}{claims}}}"#, NOW + 60));
    for claims in ["", r#","tenant_id":"""#, r#","tenant_id":1.5"#, r#","tenant_id":-1"#, r#","tenant_id":["acme"]"#] {
        assert!(is_claim(check(&token(claims)), "tenant_id"), "{claims}");
    }
    let long = "x".repeat(256);
    for value in
        ["1", "[]", "\"\"", "\"a\\u0000b\"", "\"a\\nb\"", "\"a\\u202eb\"", "\"a\\u2028b\"", &format!("\"{long}\"")]
    {
        for claim in ["sub", "role"] {
            assert!(is_claim(check(&token(&format!(r#","tenant_id":"acme","{claim}":{value}"#))), claim), "{value}");
        }
    }
    let rules = Rules { tenant_claim: "https://acme.example/t".into(), actor_claim: None, ..Rules::default() };
    let named = token(r#","https://acme.example/t":"acme","sub":7"#);
    assert_eq!(verify(&named, &keys(), &rules, NOW).unwrap().actor, None);
}

#[test]
fn a_key_set_promises_what_it_has_not() {
    let (a, b) = (secret("a", SECRET), secret("b", OTHER));
    let short = secret("a", &SECRET[..31]);
    let nameless = a.replace(r#""kid":"a","#, "");
    let with = |member: &str| a.replace("\"kty\"", &format!("{member},\"kty\""));
    for (bad, keys) in [
        ("none", vec![]),
        ("a short secret", vec![&*short]),
        ("two of one name", vec![&*a, &*a]),
        ("one of two without a name", vec![&*b, &*nameless]),
        ("only one for another algorithm", vec![r#"{"kty":"oct","alg":"HS512","k":"AA"}"#]),
        (
            "a private key",
            vec![r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}"#],
        ),
        ("half a point", vec![r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#]),
        ("a short modulus", vec![r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLj"}"#]),
        ("no kty", vec![r#"{"k":"AA"}"#]),
        ("a name twice", vec![r#"{"kty":"oct","kty":"oct","k":"AA"}"#]),
    ] {
        assert!(set(&keys).is_err(), "{bad}");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    // What serves another purpose is passed over.
    let encrypting = with(r#""use":"enc""#);
    let signing_only = with(r#""key_ops":["sign"]"#);
    let others = [r#"{"kty":"EC","crv":"P-521"}"#, r#"{"kty":"new"}"#, &encrypting, &signing_only];
    for other in others {
        assert_eq!(set(&[other, &b]).unwrap().algorithms().count(), 1, "{other}");
    }
    assert_eq!(set(&[&with(r#""use":"sig","alg":"HS256","key_ops":["verify"]"#)]).unwrap().algorithms().count(), 1);
    assert!(keys().has_secret() && !set(&[ED25519]).unwrap().has_secret());
}

#[test]
fn debug_tells_a_secret() {
    let encoded = base64url::encode(SECRET);
    let signer = Signer::hs256(Some("a"), SECRET).unwrap();
    let said = format!("{:?} {:?} {:?}", keys(), signer, set(&[&secret("a", &SECRET[..31])]));
    assert!(!said.contains(&encoded[..8]) && !said.contains("secret of thirty"), "{said}");
}

proptest! {
    /// One character of a good token is another: never taken.
    #[test]
    fn a_forged_token_is_taken(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let good = good();
        let at = at.index(good.len());
        let mut forged = good.clone();
        forged.replace_range(at..=at, &to);
        prop_assert!(forged == good || check(&forged).is_err());
    }
}
