//! A domain leads to the tenant that has proved it to be its own, and to nobody before.

use axum::http::header::HOST;
use pg_tenant_client::directory::Directory;
use pg_tenant_client::edge::Source;
use pg_tenant_tests::shop::{A, B, shop};

use crate::api::{Api, State, answer};
use crate::signed::token;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_domain_of_its_own() {
    let db = shop("e_domain").await;
    let admin = db.admin().await;
    let state = State::new(&db);
    for directory in [Directory::new(state.pool.clone()), Directory::new(state.sqlx.clone())] {
        let found = async |host: &str| {
            directory.forget();
            directory.by_domain(host).await.expect("an answer").map(|record| record.id.to_string())
        };
        let proof =
            admin.value(&format!("select tenant.add_domain('{A}', 'orders.acme.test')")).await.expect("a token");
        assert_eq!(found("orders.acme.test").await, None, "not verified");
        let verify = format!("select tenant.verify_domain('{A}', 'orders.acme.test', '{proof}')");
        admin.run(&verify).await;
        for host in ["orders.acme.test", "Orders.ACME.test.", "orders.acme.test:8080"] {
            assert_eq!(found(host).await.as_deref(), Some(A), "{host}");
        }
        for host in ["acme.test", "x.orders.acme.test", "orders", "", "or ders.acme.test", "127.0.0.1"] {
            assert_eq!(found(host).await, None, "{host}");
        }
        let layer = state.layer().source(Source::domain("example.com")).source(Source::subdomain("example.com"));
        let api = Api::of(state.clone(), layer).await;
        for (host, of, expected) in [
            ("orders.acme.test", A, 200),
            ("Orders.Acme.Test:80", A, 200),
            ("orders.acme.test", B, 403),
            ("a.example.com", A, 200),
            ("example.com", A, 200),
            ("notexample.com", A, 404),
            ("other.test", A, 404),
        ] {
            let request = api.get("/who").header(HOST, host).bearer_auth(token(of, None, None));
            assert_eq!(answer(request).await.0.as_u16(), expected, "{host}");
        }
        admin.run(&format!("select tenant.remove_domain('{A}', 'orders.acme.test')")).await;
    }
}
