//! A connection that breaks is made again; while there is none, the page says so and asks again by itself.

use reqwest::StatusCode;

use super::world::{PAGES, Served, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back() {
    let db = world("lost").await;
    let served = Served::start(&db.url(&db.roles.admin), &[]);
    let superuser = db.superuser().await;
    for _ in 0..3 {
        assert_eq!(served.get("/tenants").await.status, StatusCode::OK);
        superuser
            .run(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity
                where application_name = 'pgtenant serve' and datname = current_database()",
            )
            .await;
    }
    assert_eq!(served.get("/").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_said() {
    let served = Served::start("postgres://nobody:hidden@127.0.0.1:1/none", &[]);
    for (path, _) in PAGES {
        let page = served.get(path).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(page.body.contains("The database does not answer"), "{path}: {}", page.body);
        assert!(page.body.contains("http-equiv=\"refresh\" content=\"5\""), "{path}: {}", page.body);
        assert!(!page.body.contains("hidden"), "{path}: {}", page.body);
    }
    let metrics = served.get("/metrics").await;
    assert!(metrics.status == StatusCode::OK && metrics.body.contains("pg_tenant_up 0"), "{}", metrics.body);
}
