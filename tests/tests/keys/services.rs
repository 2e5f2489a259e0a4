//! Each key service keeps tenants apart, says what went wrong, and forgets what it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pg_tenant_client::keys::{CommandKeys, FileKeys, KeyService, VaultKeys};
use pg_tenant_client::secrets::SecretString;
use serde_json::{Value, json};

/// What every service does.
async fn keeps(service: &dyn KeyService) {
    let (acme, globex) = ("acme".parse().expect("an id"), "glo:bex".parse().expect("an id"));
    let key = [5; 64];
    let (one, other) =
        (service.wrap(&acme, &key).await.expect("wrapped"), service.wrap(&globex, &key).await.expect("wrapped"));
    assert_ne!(one, other);
    assert!(!one.windows(8).any(|window| window == [5; 8]), "it is in it");
    assert_eq!(service.unwrap(&acme, &one).await.expect("unwrapped").as_slice(), key);
    assert_eq!(service.unwrap(&globex, &other).await.expect("unwrapped").as_slice(), key);
    let refused = service.unwrap(&acme, &other).await.expect_err("it is globex's");
    assert!(
        refused.code().is_none() && refused.to_string().contains("of tenant acme could not be unwrapped"),
        "{refused}"
    );
    for _ in 0..2 {
        service.destroy(&acme).await.expect("destroyed");
    }
    assert!(service.unwrap(&acme, &one).await.is_err(), "it was destroyed");
    assert_eq!(service.unwrap(&globex, &other).await.expect("unwrapped").as_slice(), key);
}

fn directory(name: &str) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("pg_tenant_keys_{name}_{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

#[tokio::test]
async fn in_files() {
    let directory = directory("files");
    let service = FileKeys::new(&directory);
    keeps(&service).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.join("glo:bex.key")).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let acme = "acme".parse().expect("an id");
    assert!(service.wrap(&acme, &[1; 64]).await.is_err(), "no other is made in its place");
    std::fs::remove_dir_all(&directory).expect("removed");
}

/// A script with a file for each tenant, which does no cryptography that is worth the name.
const SCRIPT: &str = r#"d=$0; t="$d/$2"; mkdir -p "$d"; case $1 in
    wrap) [ -e "$t" ] || od -An -N8 -tx1 /dev/urandom | tr -d ' \n' > "$t"; cat "$t"; od -An -v -tx1 | tr -d ' \n' | tr 0123456789abcdef fedcba9876543210 ;;
    unwrap) read -r w || :; k=$(cat "$t") || exit 1; case $w in "$k"*) ;; *) exit 1 ;; esac
        printf "$(printf %s "${w#"$k"}" | tr fedcba9876543210 0123456789abcdef | sed 's/../\\x&/g')" ;;
    destroy) rm -f "$t" ;; esac"#;

#[tokio::test]
async fn of_a_command() {
    let directory = directory("command");
    let path = directory.display().to_string();
    let service = CommandKeys::new("bash").argument("-c").argument(SCRIPT).argument(path);
    keeps(&service).await;
    let acme = "acme".parse().expect("an id");
    for (service, why) in [
        (CommandKeys::new("false"), "has ended with"),
        (CommandKeys::new("pg_tenant-no-such-program"), "cannot be run"),
        (CommandKeys::new("sleep").argument("3600").timeout(Duration::from_millis(50)), "has not ended in"),
        (
            CommandKeys::new("bash").argument("-c").argument("sleep 3600").timeout(Duration::from_millis(50)),
            "has not ended in",
        ),
    ] {
        let refused = service.wrap(&acme, &[1; 64]).await.expect_err(why);
        // `sleep 3600 wrap acme` is refused by sleep itself.
        let detail = refused.detail().unwrap_or_default().to_owned();
        assert!(detail.contains(why) || detail.contains("has ended with"), "{detail}");
    }
    std::fs::remove_dir_all(&directory).expect("removed");
}

/// The transit engine's protocol, as far as it is used: a key is a number that its ciphertexts name.
#[derive(Clone, Default)]
struct Vault(Arc<Mutex<(u64, BTreeMap<String, u64>)>>);

const TOKEN: &str = "s.token";

fn denied(headers: &HeaderMap) -> bool {
    headers.get("X-Vault-Token").is_none_or(|token| token != TOKEN)
}

type Answer = (StatusCode, Json<Value>);

fn error(status: StatusCode, text: &str) -> Answer {
    (status, Json(json!({"errors": [text]})))
}

async fn encrypt(
    State(vault): State<Vault>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    if denied(&headers) {
        return error(StatusCode::FORBIDDEN, "permission denied");
    }
    let mut vault = vault.0.lock().expect("it is no poison");
    vault.0 += 1;
    let fresh = vault.0;
    let key = *vault.1.entry(name).or_insert(fresh);
    let plain = STANDARD.decode(body["plaintext"].as_str().expect("plaintext")).expect("base64");
    let turned: Vec<u8> = plain.iter().map(|byte| !byte).collect();
    (StatusCode::OK, Json(json!({"data": {"ciphertext": format!("vault:v1:{key}.{}", STANDARD.encode(turned))}})))
}

async fn decrypt(
    State(vault): State<Vault>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    if denied(&headers) {
        return error(StatusCode::FORBIDDEN, "permission denied");
    }
    let vault = vault.0.lock().expect("it is no poison");
    let text = body["ciphertext"].as_str().expect("ciphertext").trim_start_matches("vault:v1:");
    let (key, turned) = text.split_once('.').expect("of this vault");
    if vault.1.get(&name).map(u64::to_string).as_deref() != Some(key) {
        return error(StatusCode::BAD_REQUEST, "cipher: message authentication failed");
    }
    let plain: Vec<u8> = STANDARD.decode(turned).expect("base64").iter().map(|byte| !byte).collect();
    (StatusCode::OK, Json(json!({"data": {"plaintext": STANDARD.encode(plain)}})))
}

async fn configure(State(vault): State<Vault>, Path(name): Path<String>, Json(body): Json<Value>) -> Answer {
    assert_eq!(body, json!({"deletion_allowed": true}));
    if vault.0.lock().expect("it is no poison").1.contains_key(&name) {
        return (StatusCode::NO_CONTENT, Json(Value::Null));
    }
    error(StatusCode::BAD_REQUEST, "no existing key named by the path could be found")
}

async fn remove(State(vault): State<Vault>, Path(name): Path<String>) -> StatusCode {
    vault.0.lock().expect("it is no poison").1.remove(&name);
    StatusCode::NO_CONTENT
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_vault() {
    let vault = Vault::default();
    let routes = Router::new()
        .route("/v1/transit/encrypt/{name}", post(encrypt))
        .route("/v1/transit/decrypt/{name}", post(decrypt))
        .route("/v1/transit/keys/{name}/config", post(configure))
        .route("/v1/transit/keys/{name}", delete(remove))
        .with_state(vault.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, routes).into_future());
    let service = |token: &str| VaultKeys::new(&address, SecretString::from(token)).expect("a client");
    keeps(&service(TOKEN)).await;
    let names: Vec<String> = vault.0.lock().expect("it is no poison").1.keys().cloned().collect();
    assert_eq!(names, ["tenant_hex-676c6f3a626578"], "what a path cannot have is written otherwise");
    let acme = "acme".parse().expect("an id");
    let refused = service("wrong").wrap(&acme, &[1; 64]).await.expect_err("the token is wrong");
    assert!(
        refused.detail().is_some_and(|detail| detail.contains("403") && detail.contains("permission denied")),
        "{refused:?}"
    );
    let nowhere = VaultKeys::new("http://127.0.0.1:1", SecretString::from(TOKEN)).expect("a client");
    assert!(nowhere.destroy(&acme).await.is_err());
}
