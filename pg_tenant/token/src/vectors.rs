//! The examples of RFC 7515 (A.1 HS256, A.2 RS256, A.3 ES256) and the key of RFC 8037 (A): what others sign, we verify.

use crate::{KeySet, Rejected, Rules, verify};

const NOW: i64 = 1_300_819_000;
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const HS256: (&str, &str, &str) = (
    r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
);
const RS256: (&str, &str, &str) = (
    r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);
const ES256: (&str, &str, &str) = (
    r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    "eyJhbGciOiJFUzI1NiJ9",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
);

fn keys(jwk: &str) -> KeySet {
    KeySet::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes()).unwrap()
}

#[test]
fn a_published_example_is_refused() {
    // Their only texts are iss and a claim of example.com, so iss stands for the tenant.
    let rules = Rules { tenant_claim: "iss".into(), ..Rules::default() };
    for (jwk, header, signature) in [HS256, RS256, ES256] {
        let token = format!("{header}.{CLAIMS}.{signature}");
        assert_eq!(verify(&token, &keys(jwk), &rules, NOW).unwrap().tenant, "joe", "{header}");
        assert_eq!(verify(&token, &keys(jwk), &rules, 1_300_819_380), Err(Rejected::Expired(0)), "{header}");
        for (other, ..) in [HS256, RS256, ES256].iter().filter(|(other, ..)| *other != jwk) {
            assert!(matches!(verify(&token, &keys(other), &rules, NOW), Err(Rejected::Untrusted(_))), "{header}");
        }
    }
}

#[test]
fn a_published_signature_of_ed25519_is_refused() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let sign = |payload: &str, signature: &str| format!("eyJhbGciOiJFZERTQSJ9.{payload}.{signature}");
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    // What it signs is no JSON, which is read only once the signature holds.
    let token = sign("RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature);
    assert!(matches!(verify(&token, &keys(jwk), &Rules::default(), NOW), Err(Rejected::Malformed(_))));
    let token = sign("RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmg", signature);
    assert!(matches!(verify(&token, &keys(jwk), &Rules::default(), NOW), Err(Rejected::Untrusted(_))));
}
