//! Without a token or a proxy the page is this machine's; with one it is for who has the token, or is signed in.

use pg_tenant_tests::workshop;
use reqwest::{Method, StatusCode};

use super::world::{FORM, Served, world};

const TOKEN: &str = "correct-horse-battery";

fn token_file(name: &str, token: &str) -> String {
    let file = workshop(&format!("serve_{name}")).join("token");
    std::fs::write(&file, token).expect("a file");
    file.to_str().expect("a path").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_elsewhere_without_a_token() {
    let short = token_file("short", "short");
    for (options, said) in [
        (vec!["--listen", "0.0.0.0:0"], "--token-file"),
        (vec!["--token-file", &short], "16 characters"),
        (vec!["--token-file", "/nowhere"], "/nowhere"),
        (vec!["--trust-header", "X-Forwarded-Email"], "--from"),
        (vec!["--trust-header", "X-Forwarded-Email", "--from", "0.0.0.0/0"], "every network"),
    ] {
        let (status, text) = Served::refusal(&options);
        assert_eq!(status, Some(2), "{options:?}: {text}");
        assert!(text.contains(said), "{options:?}: {text}");
    }
}

/// A site whose name leads to this machine reads nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_another_name() {
    let db = world("rebinding").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    for host in ["evil.example", "evil.example:7420", "127.0.0.1.evil.example", "localhost.evil.example:80", ""] {
        let page = served.send(Method::GET, "/tenants", &[("host", host)], "").await;
        assert!(!page.status.is_success() && !page.body.contains("acme"), "{host}: {}", page.body);
    }
    for host in ["localhost:7420", "127.0.0.1", "[::1]:7420"] {
        assert_eq!(served.send(Method::GET, "/tenants", &[("host", host)], "").await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token() {
    let db = world("token").await;
    let file = token_file("token", &format!("{TOKEN}\n"));
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions", "--token-file", &file]);
    let wrong = format!("Bearer {TOKEN}x");
    for headers in [
        vec![],
        vec![("authorization", "Bearer x")],
        vec![("authorization", &*wrong)],
        vec![("cookie", "pgtenant=00.known.00")],
    ] {
        for path in ["/", "/tenant?id=acme", "/metrics"] {
            let page = served.send(Method::GET, path, &headers, "").await;
            assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path} {headers:?}");
            assert!(!page.body.contains("acme"), "{path}");
        }
    }
    let right = format!("Bearer {TOKEN}");
    assert_eq!(served.send(Method::GET, "/metrics", &[("authorization", &right)], "").await.status, StatusCode::OK);
    // A browser is asked for it; what it then keeps opens the pages.
    let asked = served.get("/").await;
    assert_eq!(served.post("/token", &asked, "token=wrong").await.status, StatusCode::UNAUTHORIZED);
    let given = served.post("/token", &asked, &format!("token={TOKEN}")).await;
    assert_eq!(given.status, StatusCode::SEE_OTHER);
    assert_ne!(given.cookie(), asked.cookie());
    let opened = served.send(Method::GET, "/tenants", &[("cookie", &given.cookie())], "").await;
    assert!(opened.status == StatusCode::OK && opened.body.contains("acme"), "{}", opened.body);
    let body = format!("form={}&token={TOKEN}", asked.form_token());
    let evil = [("cookie", &*asked.cookie()), ("origin", "http://evil.example"), FORM];
    assert_eq!(served.send(Method::POST, "/token", &evil, &body).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_the_header_itself() {
    let db = world("proxy").await;
    let trust = |from: &'static str| ["--allow-actions", "--trust-header", "X-Forwarded-Email", "--from", from];
    let served = Served::start(&db.url(&db.roles.admin), &trust("10.0.0.0/8"));
    let own = [("x-forwarded-email", "ada@example.com")];
    assert_eq!(served.send(Method::GET, "/tenants", &own, "").await.status, StatusCode::FORBIDDEN);
    let served = Served::start(&db.url(&db.roles.admin), &trust("127.0.0.0/8"));
    let twice = [own[0], ("x-forwarded-email", "eve@example.com")];
    for headers in [&[][..], &twice[..], &[("x-forwarded-email", "")]] {
        assert_eq!(
            served.send(Method::GET, "/tenants", headers, "").await.status,
            StatusCode::FORBIDDEN,
            "{headers:?}"
        );
    }
    let opened = served.send(Method::GET, "/tenant?id=acme", &own, "").await;
    assert_eq!(opened.status, StatusCode::OK);
    let headers = [own[0], ("cookie", &*opened.cookie()), ("origin", &*served.base), FORM];
    let body = format!("form={}&id=acme&reason=because", opened.form_token());
    assert_eq!(served.send(Method::POST, "/suspend", &headers, &body).await.status, StatusCode::SEE_OTHER);
    let told = "select reason from tenant.journal where action = 'suspend' and object = 'acme'";
    assert_eq!(db.admin().await.value(told).await.as_deref(), Some("because (by ada@example.com)"));
}
