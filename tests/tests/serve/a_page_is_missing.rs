//! Every page is there, and browsers are told to run nothing, keep nothing and show it in no frame.

use reqwest::StatusCode;

use super::world::{PAGES, Served, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is() {
    let db = world("pages").await;
    let served = Served::start(&db.url(&db.roles.admin), &[]);
    for (path, title) in PAGES {
        let page = served.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        assert!(page.body.contains(&format!("<h1>{title}</h1>")), "{path}: {}", page.body);
        for policy in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(page.header("content-security-policy").contains(policy), "{path}: {policy}");
        }
        assert!(!page.header("content-security-policy").contains("script-src"), "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(page.header("set-cookie").contains("HttpOnly; SameSite=Strict"), "{path}");
    }
    let page = served.get("/tenants?q=ACME-sl&status=active").await.body;
    assert!(page.contains("/tenant?id=acme") && !page.contains("/tenant?id=globex"), "{page}");
    assert_eq!(served.get("/tenant?id=nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(served.get("/nothing").await.status, StatusCode::NOT_FOUND);
    assert!(served.get("/style.css").await.header("content-type").starts_with("text/css"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_all_tenants_are_on_one() {
    let db = world("paging").await;
    db.admin().await.run("select tenant.create('t' || lpad(n::text, 3, '0')) from generate_series(1, 120) n").await;
    let served = Served::start(&db.url(&db.roles.admin), &[]);
    let (mut path, mut seen) = ("/tenants".to_owned(), Vec::new());
    for _ in 0..4 {
        let body = served.get(&path).await.body;
        let ids = body.split("<a href=\"/tenant?id=").skip(1).filter_map(|rest| rest.split('"').next());
        seen.extend(ids.map(str::to_owned));
        let Some(next) = body.split("<a href=\"").find(|link| link.contains(">Next</a>")) else { break };
        path = next.split('"').next().expect("a link").replace("&amp;", "&").replace("&#38;", "&");
    }
    assert_eq!(seen.len(), 122, "{seen:?}");
    assert!(seen.is_sorted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told() {
    let db = world("bystander").await;
    let served = Served::start(&db.url(&db.roles.bystander), &[]);
    let page = served.get("/tenants").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("tenant_admin"), "{}", page.body);
    assert!(served.get("/metrics").await.body.contains("pg_tenant_up 0"));
}
