//! A role is what it was defined to be: rank and permissions, whole and in force at once; a misspelt permission is an
//! error and not "no", except where it comes from a row.

use pg_tenant_tests::shop::A;

use super::fixture::{as_actor, refused, staged};

#[tokio::test]
async fn by_its_rank() {
    let (_db, _, app) = staged("people_ranks").await;
    for (actor, roles) in
        [("viewer", "tfff"), ("editor", "ttff"), ("admin", "tttf"), ("owner", "tttt"), ("mallory", "ffff")]
    {
        let asked = "select concat(tenant.has_role('viewer'), tenant.has_role('editor'), tenant.has_role('admin'), tenant.has_role('owner'))";
        assert_eq!(as_actor(&app, A, actor, asked).await.as_deref(), Some(roles), "{actor}");
    }
    let listed = "select string_agg(role || ' ' || rank || ' ' || cardinality(permissions), ', ' order by rank) from tenant.defined_roles";
    assert_eq!(
        as_actor(&app, A, "viewer", listed).await.as_deref(),
        Some("viewer 10 1, editor 20 2, admin 30 3, owner 40 4")
    );
}

#[tokio::test]
async fn for_another_name() {
    let (_db, _, app) = staged("people_misspelt").await;
    for (code, asked) in [
        ("TN145", "select tenant.can('invoice.wirte')"),
        ("TN145", "select tenant.can('')"),
        ("TN145", "select tenant.can(repeat('x', 100))"),
        ("TN145", "select tenant.require('invoice.wirte')"),
        ("TN146", "select tenant.has_role('ownr')"),
        ("TN146", "select tenant.has_role('Owner')"),
        ("TN142", "select tenant.require('invoice.purge')"),
    ] {
        refused(&app, code, A, "editor", asked).await;
    }
    app.expect_error("TN145", "select tenant.can('invoice.wirte')").await;
    let told = app.expect_error("TN142", "select tenant.require('invoice.write')").await;
    assert_eq!(told.detail(), Some("The transaction has not entered a tenant."));
    let told = refused(&app, "TN142", A, "editor", "select tenant.require('invoice.purge')").await;
    assert_eq!(told.message(), "permission \"invoice.purge\" is required");
    assert!(told.detail().is_some_and(|detail| detail.ends_with("as editor, which has not got it.")), "{told:?}");
    assert_eq!(as_actor(&app, A, "editor", "select tenant.require('invoice.write')").await.as_deref(), Some("t"));
    // Of a row: otherwise an error would tell of rows that a policy hides.
    let rows = "select string_agg(tenant.can(p)::text, ' ' order by n) from unnest(array['invoice.write', 'nothing', null, 'invoice.purge', 'invoice.read'])
        with ordinality u (p, n)";
    assert_eq!(as_actor(&app, A, "editor", rows).await.as_deref(), Some("true false false true"));
    assert_eq!(
        as_actor(&app, A, "editor", &rows.replace("can", "has_role").replace("nothing", "viewer")).await.as_deref(),
        Some("false true false false")
    );
    // As a parameter it is known when it is asked.
    app.run(&format!("begin; select tenant.enter('{A}', 'editor')")).await;
    let can = app.prepare("select tenant.can($1)").await.expect("prepare");
    for _ in 0..7 {
        assert!(app.query_one(&can, &[&"invoice.write"]).await.expect("known").get::<_, bool>(0));
        assert!(!app.query_one(&can, &[&"invoice.purge"]).await.expect("known").get::<_, bool>(0));
    }
    app.query_one(&can, &[&"invoice.wirte"]).await.expect_err("unknown");
    app.run("rollback").await;
}

#[tokio::test]
async fn when_it_is_defined_or_dropped() {
    let (db, admin, app) = staged("people_defined").await;
    for (code, call) in [
        ("TN149", "define_role(null, 1)"),
        ("TN149", "define_role('', 1)"),
        ("TN149", "define_role('a b', 1)"),
        ("TN149", "define_role('x', null)"),
        ("TN149", "define_role('x', 1, array['a b'])"),
        ("TN149", "define_role('x', 1, array[null]::text[])"),
        ("TN149", "define_role('x', 1, array(select 'p' || n from generate_series(1, 1024) n))"),
        ("TN149", "drop_role('viewer', 'gone')"),
        ("TN146", "drop_role('nothing', 'gone')"),
        ("TN029", "drop_role('viewer', ' ')"),
    ] {
        let told = admin.expect_error(code, &format!("select tenant.{call}")).await;
        assert!(told.detail().is_some() && told.hint().is_some(), "{told:?}");
    }
    // As many as there may be: the last bit, and none of its neighbours.
    admin.run("select tenant.define_role('most', 5, array(select 'p' || n from generate_series(1, 1024 - 4) n where n % 2 = 0)),
        tenant.define_role('rest', 6, array(select 'p' || n from generate_series(1, 1024 - 4) n))").await;
    let numbers = "select count(*) || ' ' || max(number) from tenant.permissions";
    assert_eq!(admin.value(numbers).await.as_deref(), Some("1024 1023"));
    admin.expect_error("TN149", "select tenant.define_role('more', 7, '{one.more}')").await;
    admin.run(&format!("select tenant.add_member('{A}', 'most', 'most')")).await;
    let right = "select bool_and(tenant.can('p' || n) = (n % 2 = 0)) from generate_series(1, 1020) n";
    assert_eq!(as_actor(&app, A, "most", right).await.as_deref(), Some("t"));
    admin.run("select tenant.drop_role('rest', 'too much')").await;
    // The number is nobody else's after that.
    assert_eq!(admin.value(numbers).await.as_deref(), Some("1024 1023"));
    // A permission that nobody defined by the function is nobody's.
    db.superuser()
        .await
        .run("update tenant.roles set permissions = '{invoice.read, invented}' where role = 'most'")
        .await;
    assert_eq!(as_actor(&app, A, "most", "select tenant.can('invoice.read')").await.as_deref(), Some("t"));
    app.expect_error("TN145", "select tenant.can('invented')").await;
    let journalled = "select string_agg(action || ' ' || object, ', ' order by id) from tenant.journal where object in ('most', 'rest')";
    assert_eq!(admin.value(journalled).await.as_deref(), Some("define_role most, define_role rest, drop_role rest"));
}
