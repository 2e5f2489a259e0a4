//! A tenant's generation is another one after every change of what it is given, and the same in between: in every
//! session, after a restart and on a standby.

use std::collections::HashSet;

use pg_tenant_tests::shop::{A, B, shop, shop_on};
use pg_tenant_tests::{Cluster, Options, Session};

const NOW: &str = "select tenant.generation()";

async fn of(session: &Session, tenant: &str) -> String {
    session.inside_value(tenant, NOW).await.expect("a number")
}

#[tokio::test]
async fn for_another_state() {
    let db = shop("generation").await;
    let (admin, app, other, boss) = (db.admin().await, db.app().await, db.app().await, db.superuser().await);
    admin.run("select tenant.define_plan('gold'), tenant.define_plan('basic'), tenant.declare_setting('seats', 'integer')").await;
    let (mut seen, mut of_b) = (HashSet::from([of(&app, A).await]), of(&app, B).await);
    let give = |plan: &str| format!("select tenant.set_plan('{A}', {plan})");
    for (change, everybodys) in [
        (give("'gold'"), false),
        (give("'basic'"), false),
        (give("'gold'"), false),
        (give("null"), false),
        (format!("select tenant.set_setting('{A}', 'seats', '5')"), false),
        (format!("select tenant.set_setting('{A}', 'seats', null)"), false),
        (give("'gold'"), false),
        ("select tenant.define_plan('gold', 1)".to_owned(), false),
        ("select tenant.define_plan('gold', 0)".to_owned(), false),
        (format!("select tenant.set_limits('{A}', statement_timeout => '9 s')"), false),
        (format!("update tenant.tenants set name = 'A' where id = '{A}'"), false),
        (format!("select tenant.set_read_only('{A}')"), false),
        (format!("select tenant.resume('{A}')"), false),
        ("select tenant.declare_feature('export')".to_owned(), true),
        ("select tenant.declare_feature('export', rollout => 5)".to_owned(), true),
        ("select tenant.drop_setting('export', 'gone')".to_owned(), true),
        (format!("begin; select tenant.set_setting('{A}', 'seats', '1'); {}; commit", give("'basic'")), false),
    ] {
        other.inside(A, NOW).await;
        admin.run(&change).await;
        let now = of(&app, A).await;
        assert!(seen.insert(now.clone()), "{now} was there before: {change}");
        for session in [&app, &other, &db.app().await] {
            assert_eq!(of(session, A).await, now, "{change}");
        }
        let b = of(&app, B).await;
        assert_eq!(b != of_b, everybodys, "{change}");
        of_b = b;
    }
    // Nothing has changed.
    let now = of(&app, A).await;
    for nothing in [
        give("'basic'"),
        format!("select tenant.set_setting('{A}', 'seats', '1')"),
        format!("begin; select tenant.set_setting('{A}', 'seats', '2'); rollback"),
        "begin; savepoint s; select tenant.define_plan('basic', 9); rollback to s; commit".to_owned(),
        "begin; select tenant.declare_setting('seats', 'integer', '9'); rollback".to_owned(),
        format!("select tenant.set_plan('{B}', 'gold'), tenant.define_plan('gold', 3), tenant.create('c')"),
        "select 1 from tenant.tenants for update".to_owned(),
    ] {
        (if nothing.contains("for update") { &boss } else { &admin }).run(&nothing).await;
        for session in [&app, &db.app().await] {
            assert_eq!(of(session, A).await, now, "{nothing}");
        }
    }
    boss.run("vacuum (freeze) tenant.tenants").await;
    assert_eq!(of(&db.app().await, A).await, now);
    // With the triggers off.
    boss.run("begin; alter table tenant.setting_definitions disable trigger all; update tenant.setting_definitions set description = 'x';
        alter table tenant.setting_definitions enable trigger all; alter table tenant.setting_definitions enable always trigger definitions_changed; commit").await;
    for session in [&app, &db.app().await] {
        assert_ne!(of(session, A).await, now);
    }
    assert_eq!(app.value(NOW).await, None);
    db.bystander().await.expect_error("42501", NOW).await;
}

/// The transaction that makes a change sees another one, which is that of everybody once it has committed.
#[tokio::test]
async fn within_the_change() {
    let db = shop("generation_within").await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin.run("select tenant.declare_setting('theme', changed_by => 'tenant')").await;
    let before = of(&app, A).await;
    let set = |value: &str| format!("select tenant.set_own_setting('theme', '\"{value}\"')");
    let undone = app.inside(A, &format!("savepoint s; {}; {NOW}; rollback to s; {NOW}", set("x"))).await;
    let undone: Vec<_> = undone.into_iter().filter_map(|row| row[0].clone()).filter(|text| !text.is_empty()).collect();
    assert!(undone[0] != before && undone[1] == before, "{undone:?}, {before} before");
    let rows = app.inside(A, &format!("{}; {NOW}", set("dark"))).await;
    let within = rows.last().and_then(|row| row[0].clone()).expect("a number");
    assert!(within != before && of(&app, A).await == within && of(&db.app().await, A).await == within);
    // What was read in an older snapshot's transaction is that of now.
    app.run("begin isolation level repeatable read; select 1").await;
    admin.run(&format!("select tenant.set_setting('{A}', 'theme', null)")).await;
    let now = of(&db.app().await, A).await;
    app.run(&format!("select tenant.enter('{A}')")).await;
    assert_eq!(app.value(NOW).await, Some(now));
    app.run("commit").await;
}

#[tokio::test]
async fn on_another_server() {
    let cluster = Cluster::start(Options::default().set("synchronous_commit", "on"));
    let db = shop_on(&cluster, "generation_servers").await;
    let (admin, app, boss) = (db.admin().await, db.app().await, db.superuser().await);
    admin
        .run(&format!("select tenant.declare_setting('seats', 'integer'), tenant.set_setting('{A}', 'seats', '5')"))
        .await;
    let before = of(&app, A).await;
    let standby = cluster.standby();
    let there = Session::connect(&standby.config(&db.name, &db.roles.app)).await;
    let follow = async || {
        let written = boss.value("select pg_current_wal_lsn()").await.expect("a position");
        let replayed = format!("select pg_last_wal_replay_lsn() >= '{written}'");
        let watch = Session::connect(&standby.config(&db.name, "postgres")).await;
        while watch.value(&replayed).await.as_deref() != Some("t") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    follow().await;
    assert_eq!(of(&there, A).await, before);
    for change in [
        format!("select tenant.set_setting('{A}', 'seats', '6')"),
        format!("select tenant.define_plan('gold'), tenant.set_plan('{A}', 'gold')"),
        "select tenant.define_plan('gold', 2)".to_owned(),
        "select tenant.declare_setting('seats', 'integer', '3')".to_owned(),
    ] {
        admin.run(&change).await;
        follow().await;
        let now = of(&app, A).await;
        assert_eq!(of(&there, A).await, now, "{change}");
    }
    let now = of(&app, A).await;
    drop((app, admin, boss));
    cluster.stop();
    cluster.start_again();
    assert_eq!(of(&db.app().await, A).await, now);
}

/// An application keeps what it has read under the generation that it entered with. Whoever finds it there finds
/// nothing that was replaced before it entered, whatever is committed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_an_older_value() {
    let db = shop("generation_pairs").await;
    let admin = db.admin().await;
    admin.run("select tenant.declare_setting('n', 'integer', '0')").await;
    let kept = std::sync::Arc::new(std::sync::Mutex::new(std::collections::HashMap::<String, i64>::new()));
    let mut readers = Vec::new();
    for _ in 0..3 {
        let (app, kept) = (db.app().await, std::sync::Arc::clone(&kept));
        readers.push(tokio::spawn(async move {
            for _ in 0..400 {
                let rows = app.inside(A, "select tenant.generation(), tenant.setting('n')").await;
                let read = |at: usize| rows[0][at].clone().expect("a value");
                let value = read(1).parse::<i64>().expect("a number");
                let mut kept = kept.lock().expect("no panic");
                let least = kept.entry(read(0)).or_insert(value);
                *least = value.min(*least);
            }
        }));
    }
    let mut committed = vec![(of(&db.app().await, A).await, 0)];
    for n in 1..150_i64 {
        admin.run(&format!("select tenant.set_setting('{A}', 'n', '{n}')")).await;
        committed.push((of(&db.app().await, A).await, n));
    }
    for reader in readers {
        reader.await.expect("a reader");
    }
    let kept = kept.lock().expect("no panic");
    for (generation, value) in committed {
        assert!(kept.get(&generation).is_none_or(|&found| found >= value), "{generation}: {kept:?} for {value}");
    }
}
