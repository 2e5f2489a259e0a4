//! One table that is brought back from a dump, without its policies as `pg_restore -t` does it, is closed to sessions
//! that enter tenants until it is protected; the recipe of the reference brings it back whole.

use std::path::PathBuf;

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Install, run};

/// `orders` in a dump, and dropped.
async fn lost(name: &str) -> (Database<'static>, PathBuf) {
    let db = shop(name).await;
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.dump", db.name));
    run(db.program("pg_dump", "postgres").args(["-Fc", "-f"]).arg(&file), "").expect("pg_dump");
    db.superuser().await.run("drop table orders").await;
    (db, file)
}

fn restore(db: &Database<'_>, role: &str, file: &PathBuf, args: &[&str]) {
    let mut restore = db.program("pg_restore", role);
    run(restore.args(["--exit-on-error", "-d", &db.name]).args(args).arg(file), "").expect("pg_restore");
}

async fn is_closed(db: &Database<'_>) {
    let app = db.app().await;
    let boss = db.superuser().await;
    boss.run(&format!("grant select, insert on orders to {}", db.roles.app)).await;
    // What stock PostgreSQL shows here: who never enters a tenant is not asked.
    boss.run(&format!("grant select on orders to {}", db.roles.bystander)).await;
    assert_eq!(db.bystander().await.value("select count(*) from orders").await.as_deref(), Some("5"));
    app.refused_inside("TN012", A, "select * from orders").await; // TN012
    app.expect_error("TN012", "select * from orders").await;
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5"));
}

async fn is_whole(db: &Database<'_>) {
    let app = db.app().await;
    for (tenant, rows) in [(A, "3"), (B, "2")] {
        assert_eq!(app.inside_value(tenant, "select count(*) from orders").await.as_deref(), Some(rows));
    }
    app.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn without_its_policies() {
    for (name, args) in [("alone", &["-t", "orders"][..]), ("unruly", &["-t", "orders", "--no-policies"])] {
        if args.contains(&"--no-policies") && Install::current().is_before(18, "pg_restore --no-policies") {
            continue;
        }
        for restorer in ["postgres", "owner"] {
            let (db, file) = lost(&format!("{name}_{restorer}")).await;
            db.protector().await; // the functions of the defaults are in a schema that not everybody may use
            let role = if restorer == "owner" { db.roles.owner.clone() } else { restorer.to_owned() };
            restore(&db, &role, &file, args);
            is_closed(&db).await;
            db.superuser().await.run("select tenant.protect('orders')").await;
            is_whole(&db).await;
            std::fs::remove_file(file).expect("remove the dump");
        }
    }
}

/// As the reference tells: the archive's lines that name the table.
#[tokio::test]
async fn with_all_that_is_its_own() {
    let (db, file) = lost("whole").await;
    let all = run(db.program("pg_restore", "postgres").arg("-l").arg(&file), "").expect("pg_restore -l");
    let word = |line: &&str| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|word| word == "orders" || word.starts_with("orders_"))
    };
    let lines: Vec<&str> = all.lines().filter(word).collect();
    assert!(lines.iter().any(|line| line.contains("POLICY")), "{lines:?}");
    let list = file.with_extension("list");
    std::fs::write(&list, lines.join("\n")).expect("write the list");
    restore(&db, "postgres", &file, &["-L", list.to_str().expect("a UTF-8 path")]);
    is_whole(&db).await;
    let boss = db.superuser().await;
    let findings = "select code from tenant.doctor() where object ~ '^public.orders' and level = 'error'";
    assert_eq!(boss.rows(findings).await, Vec::<Vec<Option<String>>>::new());
    for file in [file, list] {
        std::fs::remove_file(file).expect("remove what was made");
    }
}
