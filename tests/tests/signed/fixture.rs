//! Keys, tokens, and a server that has the keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pg_tenant_tests::{Cluster, Database, Options, Session, describe, shop};
use pg_tenant_token::{Grant, Signer};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use ring::signature::{RsaKeyPair, RsaPublicKeyComponents};
use tokio::sync::OnceCell;
use tokio_postgres::error::DbError;

/// The secrets of the keys `hs` and `hs2`.
pub const SECRET: &[u8] = b"a secret of thirty-two bytes....";
pub const SECRET_2: &[u8] = b"another one of thirty-two bytes.";

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A secret as a JWK.
pub fn secret_jwk(kid: &str, secret: &[u8]) -> String {
    format!(r#"{{"kty":"oct","kid":"{kid}","alg":"HS256","k":"{}"}}"#, base64url(secret))
}

/// Keys as a JWKS.
pub fn set(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// The keys that the shared server has: `hs`, and one of each public kind, made for this run.
pub struct Keys {
    ed25519: Vec<u8>,
    p256: EcdsaKeyPair,
    rsa: RsaKeyPair,
    random: SystemRandom,
}

impl Keys {
    pub fn new() -> Keys {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key").as_ref().to_vec();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).expect("a key");
        let rsa = STANDARD.decode(include_str!("rsa_test_key.txt").replace('\n', "")).expect("base64");
        Keys { ed25519, p256, rsa: RsaKeyPair::from_der(&rsa).expect("a key"), random }
    }

    pub fn ed25519_jwk(&self) -> String {
        let pair = Ed25519KeyPair::from_pkcs8(&self.ed25519).expect("a key");
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{}"}}"#, base64url(pair.public_key()))
    }

    pub fn rsa_public(&self) -> RsaPublicKeyComponents<Vec<u8>> {
        RsaPublicKeyComponents::from(self.rsa.public_key())
    }

    pub fn jwks(&self) -> String {
        let point = self.p256.public_key().as_ref();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
        let public = self.rsa_public();
        set(&[
            &secret_jwk("hs", SECRET),
            &self.ed25519_jwk(),
            &format!(r#"{{"kty":"EC","crv":"P-256","kid":"es","use":"sig","x":"{x}","y":"{y}"}}"#),
            &format!(r#"{{"kty":"RSA","kid":"rs","n":"{}","e":"{}"}}"#, base64url(public.n), base64url(public.e)),
        ])
    }

    /// Claims signed with the key of this name.
    pub fn sign(&self, kid: &str, claims: &str) -> String {
        let name = match kid {
            "hs" => return hs(kid, SECRET, claims),
            "ed" => {
                let signer = Signer::eddsa_pkcs8(Some("ed"), &self.ed25519).expect("a key");
                return signer.sign_claims(claims).to_string();
            }
            "es" => "ES256",
            _ => "RS256",
        };
        let message = message(&format!(r#"{{"alg":"{name}","kid":"{kid}"}}"#), claims);
        let signature = if kid == "es" {
            self.p256.sign(&self.random, message.as_bytes()).expect("sign").as_ref().to_vec()
        } else {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(&RSA_PKCS1_SHA256, &self.random, message.as_bytes(), &mut signature).expect("sign");
            signature
        };
        format!("{message}.{}", base64url(signature))
    }
}

/// Header and claims, as they are signed.
pub fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", base64url(header), base64url(claims))
}

/// Claims signed with a secret.
pub fn hs(kid: &str, secret: &[u8], claims: &str) -> String {
    Signer::hs256(Some(kid), secret).expect("a secret").sign_claims(claims).to_string()
}

/// Any header, any claims, signed with the secret of `hs`.
pub fn raw(header: &str, claims: &str) -> String {
    let message = message(header, claims);
    let signature = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// A token of `hs` for ten minutes.
pub fn token(tenant: &str, actor: Option<&str>, role: Option<&str>) -> String {
    let grant = Grant { tenant, actor, role, issuer: None, audience: None, expires: now() + 600 };
    Signer::hs256(Some("hs"), SECRET).expect("a secret").sign(&grant).to_string()
}

/// The shop, on a server that has the keys.
pub async fn shop_with_keys(name: &str) -> (Database<'static>, &'static Keys) {
    static KEYS: OnceCell<Keys> = OnceCell::const_new();
    let keys = KEYS
        .get_or_init(|| async {
            let keys = Keys::new();
            let cluster = Cluster::shared();
            write_keys(cluster, &keys.jwks(), 0o600).await;
            configure(cluster, &[("pg_tenant.jwks_file", "keys.json"), ("pg_tenant.jwt_leeway", "0")]).await;
            keys
        })
        .await;
    (shop::shop(name).await, keys)
}

/// A server of one's own, whose file of keys is `keys.json`.
pub fn server() -> Cluster {
    Cluster::start(Options::default().set("pg_tenant.jwks_file", "keys.json").set("pg_tenant.jwt_leeway", "0"))
}

/// Writes the server's file of keys, as its user would.
pub async fn write_keys(cluster: &Cluster, jwks: &str, mode: u32) -> PathBuf {
    let data = cluster.superuser().await.value("show data_directory").await.expect("a directory");
    let file = Path::new(&data).join("keys.json");
    fs::write(&file, jwks).expect("write the keys");
    let owner = fs::metadata(&data).expect("the directory");
    if fs::metadata(&file).expect("the file").uid() != owner.uid() {
        chown(&file, Some(owner.uid()), Some(owner.gid())).expect("give it to the server");
    }
    fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
    file
}

/// Settings of the server, and a reload that new sessions have seen.
pub async fn configure(cluster: &Cluster, settings: &[(&str, &str)]) {
    let superuser = cluster.superuser().await;
    for (name, value) in settings {
        superuser.run(&format!("alter system set {name} = '{value}'")).await;
    }
    reload(cluster).await;
}

/// Reloads; from then on new sessions, and those that go on, have read the configuration again.
pub async fn reload(cluster: &Cluster) {
    let before = cluster.superuser().await.value("select pg_conf_load_time()").await;
    cluster.superuser().await.run("select pg_reload_conf()").await;
    let until = Instant::now() + Duration::from_secs(60);
    while cluster.superuser().await.value("select pg_conf_load_time()").await == before {
        assert!(Instant::now() < until, "the server does not reload");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until this session has seen the last reload: it does so after the server, whose time a new session has.
pub async fn reloaded(session: &Session, cluster: &Cluster) {
    let newest = cluster.superuser().await.value("select pg_conf_load_time()").await.expect("a time");
    let until = Instant::now() + Duration::from_secs(60);
    let sql = format!("select pg_conf_load_time() >= timestamptz '{newest}'");
    while session.value(&sql).await.as_deref() != Some("t") {
        assert!(Instant::now() < until, "the session does not reload");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Enters with a token, as a parameter.
pub async fn enter(session: &Session, token: &str) -> Result<String, Box<DbError>> {
    match session.query_one("select tenant.enter_signed($1)", &[&token]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => match error.as_db_error() {
            Some(db) => Err(Box::new(db.clone())),
            None => panic!("{}", describe(&error)),
        },
    }
}

/// Enters with a token, in a transaction of its own, and says which SQLSTATE refused it; "" where none did.
pub async fn verdict(session: &Session, token: &str) -> String {
    session.run("begin").await;
    let answer = enter(session, token).await;
    session.run("rollback").await;
    answer.err().map_or(String::new(), |error| error.code().code().to_owned())
}
