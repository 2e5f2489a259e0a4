//! One input of the fuzzer, and what must hold of it. The test `tests/fuzz.rs` runs it without a fuzzer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pg_tenant_token::{Grant, KeySet, Rejected, Rules, Signer, verify};
use ring::hmac;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8; 32] = b"a secret of thirty-two bytes....";

fn keys() -> KeySet {
    let jwk = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, URL_SAFE_NO_PAD.encode(SECRET));
    KeySet::parse(jwk.as_bytes()).expect("a key set")
}

/// The first byte says what the rest is: a key set, a token, its claims, or its header.
pub fn one_input(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let rules = Rules { issuer: None, ..Rules::default() };
    match kind % 4 {
        0 => {
            let _ = KeySet::parse(rest);
        }
        1 => {
            // Nobody but us has the secret; what is taken must be what we could have signed, to the byte.
            let token = String::from_utf8_lossy(rest);
            if let Ok(verified) = verify(&token, &keys(), &rules, NOW) {
                let (message, signature) = token.rsplit_once('.').expect("a signature");
                assert_eq!(sign(message), signature);
                assert_eq!(verified.check_time(0, NOW), Ok(()));
            }
        }
        2 => claims(rest, &rules),
        _ => header(rest, &rules),
    }
}

/// Whatever the claims are, what is taken reads the same with another reader of JSON, and has a time to end.
fn claims(json: &[u8], rules: &Rules) {
    let Ok(json) = std::str::from_utf8(json) else { return };
    let token = Signer::hs256(None, SECRET).expect("a signer").sign_claims(json);
    match verify(&token, &keys(), rules, NOW) {
        Ok(verified) => {
            let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
            let text = |name: &str| value[name].as_str().map(str::to_owned);
            assert_eq!(
                Some(verified.tenant.clone()),
                text("tenant_id").or_else(|| Some(value["tenant_id"].to_string()))
            );
            assert_eq!((&verified.actor, &verified.role), (&text("sub"), &text("role")));
            assert!(value["exp"].as_f64().expect("exp") > NOW as f64, "{value}");
            assert!(value["aud"].is_null(), "{value}");
        }
        Err(Rejected::Untrusted(why)) => panic!("our own signature: {why}"),
        Err(_) => {}
    }
}

/// Whatever the header is, only one that names the key's algorithm is taken.
fn header(json: &[u8], rules: &Rules) {
    let grant = Grant { tenant: "a", actor: None, role: None, issuer: None, audience: None, expires: NOW + 1 };
    let plain = Signer::hs256(None, SECRET).expect("a signer").sign(&grant);
    let claims = plain.split('.').nth(1).expect("claims");
    let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(json));
    if verify(&format!("{message}.{}", sign(&message)), &keys(), rules, NOW).is_ok() {
        let value: serde_json::Value = serde_json::from_slice(json).expect("JSON");
        assert_eq!(value["alg"], "HS256");
        assert!(value.get("crit").is_none());
    }
}

fn sign(message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()).as_ref())
}
