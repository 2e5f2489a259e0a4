//! An id that is malformed, unknown, suspended, or of a type that a table is not keyed by, is refused; a right one is
//! accepted.

use pg_tenant_tests::shop::{A, B, shop};

const MALFORMED: &[&str] = &[
    "",
    " ",
    "-a",
    ".",
    "a b",
    "a''b",
    "a\"b",
    "a;b",
    "a,b",
    "a/b",
    "a%b",
    "a\\b",
    "{a}",
    "ä",
    "a\t",
    "a\n",
    "*",
    "=",
    "{aaaaaaaa-0000-4000-8000-00000000000a}",
    " aaaaaaaa-0000-4000-8000-00000000000a",
];

#[tokio::test]
async fn and_is_not_refused() {
    let db = shop("wrong").await;
    let app = db.app().await;
    for id in MALFORMED {
        for enter in ["enter", "enter_pristine"] {
            app.expect_error("TN004", &format!("select tenant.{enter}('{id}')")).await;
        }
        db.admin().await.expect_error("TN004", &format!("select tenant.create('{id}')")).await;
    }
    app.expect_error("TN004", "select tenant.enter(repeat('a', 64))").await;
    app.expect_error("TN004", "select tenant.enter(-1)").await;
    app.expect_error("22P02", "select tenant.enter('nonsense'::uuid)").await;
    let hint = app.expect_error("TN002", "select tenant.enter(repeat('a', 63))").await;
    assert!(hint.hint().is_some_and(|h| h.contains("tenant.create")), "{hint:?}");
    // Written otherwise it is another tenant: 32 digits are a text, 007 is not 7.
    for unknown in [&A.replace('-', ""), "7", "007", "A", "null"] {
        app.expect_error("TN002", &format!("select tenant.enter('{unknown}')")).await;
    }
    for null in ["null::text", "null::uuid", "null::bigint"] {
        app.expect_error("TN004", &format!("select tenant.enter({null})")).await;
    }
    db.admin().await.run(&format!("select tenant.suspend('{B}', 'unpaid')")).await;
    let error = app.expect_error("TN003", &format!("select tenant.enter('{B}')")).await;
    assert_eq!(error.detail(), Some("The tenant is suspended."));
    db.bystander().await.expect_error("42501", &format!("select tenant.enter('{A}')")).await;
    db.bystander().await.expect_error("42501", &format!("select tenant.enter('{A}'::uuid)")).await;
    db.bystander().await.expect_error("42501", "select tenant.enter(1)").await;
    db.bystander().await.expect_error("42501", &format!("select tenant.enter_pristine('{A}')")).await;
}

#[tokio::test]
async fn because_the_registry_is_not_required() {
    let db = shop("elsewhere").await;
    db.admin().await.run(&format!("select tenant.suspend('{B}')")).await;
    let set = |to: &str| format!("alter database {} set pg_tenant.require_registered = {to}", db.name);
    db.superuser().await.run(&set("off")).await;
    let app = db.app().await;
    assert_eq!(app.inside_value("anybody", "select tenant.current_id()").await.as_deref(), Some("anybody"));
    app.refused_inside("TN003", B, "select 1").await;
    app.refused_inside("TN004", "a b", "select 1").await;
    app.expect_error("42501", "set pg_tenant.require_registered = on").await;
    db.superuser().await.run(&set("on")).await;
    db.app().await.refused_inside("TN002", "anybody", "select 1").await;
}

/// Column type, an id with a value of it, another, and one without.
const TYPES: &[(&str, &str, &str, Option<&str>)] = &[
    ("uuid", A, B, Some("acme")),
    ("bigint", "9007199254740993", "7", Some("acme")),
    ("integer", "7", "8", Some(A)),
    ("smallint", "7", "8", Some("007")),
    ("text", "acme", "7", None),
    ("varchar", "acme", A, None),
    ("varchar(40)", A, "acme", None),
    ("text collate \"C\"", "Acme", "acme", None),
];

#[tokio::test]
async fn for_the_type_of_the_column() {
    let db = shop("types").await;
    let (app, owner, superuser) = (db.app().await, db.owner().await, db.superuser().await);
    let create = "select tenant.create(id) from unnest('{acme,Acme,7,8,007,9007199254740993}'::text[]) id";
    db.admin().await.run(create).await;
    for (n, (column, one, two, without)) in TYPES.iter().enumerate() {
        let t = format!("t{n}");
        owner.run(&format!("create table {t} (tenant_id {column}, note text); insert into {t} values ('{one}'), ('{two}'), ('{two}')")).await;
        superuser.run(&format!("select tenant.protect('{t}')")).await;
        let count = format!("select count(*)::text || ' ' || min(tenant_id::text) from {t}");
        assert_eq!(app.inside_value(one, &count).await, Some(format!("1 {one}")), "{column}");
        assert_eq!(app.inside_value(two, &count).await, Some(format!("2 {two}")), "{column}");
        // The default writes the tenant; another one is refused.
        assert_eq!(
            app.inside_value(one, &format!("insert into {t} (note) values ('new') returning tenant_id"))
                .await
                .as_deref(),
            Some(*one)
        );
        app.refused_inside("42501", one, &format!("insert into {t} (tenant_id) values ('{two}')")).await;
        app.refused_inside("42501", one, &format!("update {t} set tenant_id = '{two}'")).await;
        if let Some(without) = without {
            for verb in
                [format!("table {t}"), format!("delete from {t}"), format!("insert into {t} (note) values ('x')")]
            {
                let error = app.refused_inside("TN007", without, &verb).await;
                assert!(error.detail().is_some_and(|d| d.contains("\"tenant_id\"")), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn and_a_number_too_large_for_the_column_meets_a_row() {
    let db = shop("wraps").await;
    db.admin().await.run("select tenant.create('65543'), tenant.create('4294967303')").await;
    // 65543 and 4294967303 are 7 in 16 and 32 bits.
    db.owner().await.run("create table small (tenant_id smallint); create table ints (tenant_id int)").await;
    db.owner().await.run("insert into small values (7); insert into ints values (7)").await;
    db.superuser().await.run("select tenant.protect('small'), tenant.protect('ints')").await;
    let app = db.app().await;
    assert_eq!(app.inside_value("65543", "select count(*) from small").await.as_deref(), Some("0"));
    assert_eq!(app.inside_value("4294967303", "select count(*) from ints").await.as_deref(), Some("0"));
    app.refused_inside("22003", "65543", "insert into small default values").await;
    app.refused_inside("22003", "4294967303", "insert into ints default values").await;
}
