//! What the tests of folded values work on: the same functions in a stock database and in one with the extension.

use pg_tenant_tests::shop::{A, B, shop, stock_shop};
use pg_tenant_tests::{Database, Session};

/// A database with `mine()`, which says IMMUTABLE and is the tenant's own first note: of A `note 1`, of B `note 4`.
pub struct World {
    pub db: Database<'static>,
    table: &'static str,
    choose: &'static str,
}

impl World {
    /// PostgreSQL as it is.
    pub async fn stock(name: &str, sql: &str) -> World {
        let db = stock_shop(&format!("{name}_stock")).await;
        World { db, table: "stock_orders", choose: "set local app.tenant = '{}'" }.filled(sql).await
    }

    /// The same with the extension.
    pub async fn ours(name: &str, sql: &str) -> World {
        World { db: shop(name).await, table: "orders", choose: "select tenant.enter('{}')" }.filled(sql).await
    }

    async fn filled(self, sql: &str) -> World {
        let mine = "create function mine() returns text language sql immutable as $$ select min(note) from {t} $$;";
        self.db.owner().await.run(&format!("{mine} {sql}").replace("{t}", self.table)).await;
        self
    }

    /// What begins a transaction of the tenant.
    pub fn begin(&self, tenant: &str) -> String {
        format!("begin; {}", self.choose.replace("{}", tenant))
    }

    /// The first column of the last row that the statements give in a transaction of the tenant.
    pub async fn value(&self, app: &Session, tenant: &str, sql: &str) -> Option<String> {
        app.run(&self.begin(tenant)).await;
        let value = app.rows(sql).await.pop().expect("a row").swap_remove(0);
        app.run("commit").await;
        value
    }

    /// What A and then B get on one connection, after `before`.
    pub async fn both(&self, before: &str, sql: &str) -> [Option<String>; 2] {
        let app = self.db.app().await;
        app.run(before).await;
        [self.value(&app, A, sql).await, self.value(&app, B, sql).await]
    }
}

/// What PostgreSQL keeps, it forgets when others change something, which may be just then: so it is tried again.
pub async fn at_some_time<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, attempt: impl AsyncFn() -> T) {
    let mut seen = attempt().await;
    for _ in 0..30 {
        if seen == expected {
            return;
        }
        seen = attempt().await;
    }
    assert_eq!(seen, expected, "{what}");
}

/// Two answers.
pub fn pair(a: &str, b: &str) -> [Option<String>; 2] {
    [Some(a.into()), Some(b.into())]
}
