//! A tenant's state decides who enters it, and leads to other states only as the table of transitions says.

use pg_tenant_core::TenantStatus;
use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Database, Session};

const STATES: [&str; 6] = ["provisioning", "active", "read_only", "suspended", "offboarding", "purged"];

/// The tenant is put into the state whatever it was in, behind the triggers.
async fn put(db: &Database<'_>, state: &str) {
    let boss = db.superuser().await;
    let (off, on) = ("disable trigger check_status", "enable trigger check_status");
    boss.run(&format!(
        "begin; alter table tenant.tenants {off};
         update tenant.tenants set status = '{state}', purge_after = null, status_since = '2026-03-01 00:00+00' where id = '{A}';
         alter table tenant.tenants {on}; commit"
    ))
    .await;
}

async fn state(session: &Session) -> Option<String> {
    session.value(&format!("select status from tenant.tenants where id = '{A}'")).await
}

#[tokio::test]
async fn the_view_says_what_the_library_says() {
    let db = shop("transitions").await;
    let admin = db.admin().await;
    let mut listed: Vec<_> = Vec::new();
    for row in admin.rows("select from_status, to_status from tenant.status_transitions").await {
        listed.push((row[0].clone().expect("a state"), row[1].clone().expect("a state")));
    }
    let mut known: Vec<_> = TenantStatus::ALL
        .iter()
        .flat_map(|from| from.leads_to().iter().map(|to| (from.to_string(), to.to_string())))
        .collect();
    listed.sort();
    known.sort();
    assert_eq!(listed, known);
    // The check constraint has the same states.
    let constraint = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'tenants_status_check'";
    let constraint = admin.value(constraint).await.expect("a constraint");
    assert_eq!(constraint.matches("::text").count(), TenantStatus::ALL.len(), "{constraint}");
    assert!(STATES.iter().all(|state| constraint.contains(&format!("'{state}'"))), "{constraint}");
}

/// By the functions and by UPDATE alike.
#[tokio::test]
async fn a_state_leads_where_it_may_and_nowhere_else() {
    let db = shop("states_lead").await;
    let admin = db.admin().await;
    for from in STATES {
        for to in STATES.into_iter().filter(|&to| to != from) {
            let allowed = format!(
                "select made_by from tenant.status_transitions where (from_status, to_status) = ('{from}', '{to}')"
            );
            let made_by = admin.rows(&allowed).await;
            let update = format!("update tenant.tenants set status = '{to}' where id = '{A}'");
            put(&db, from).await;
            match made_by.first() {
                None => {
                    let refused = admin.expect_error("TN133", &update).await;
                    assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
                    assert_eq!(state(&admin).await.as_deref(), Some(from));
                }
                Some(function) => {
                    admin.run(&update).await;
                    let function = function[0].as_deref().expect("a function");
                    put(&db, from).await;
                    admin.run(&format!("select tenant.{function}('{A}', 'for the test')")).await;
                    let journal = "select action, object, reason from tenant.journal order by id desc limit 1";
                    let line = admin.rows(journal).await.swap_remove(0).into_iter().flatten().collect::<Vec<_>>();
                    assert_eq!(line, [function, A, "for the test"]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_function_changes_from_its_own_states_only() {
    let db = shop("states_functions").await;
    let admin = db.admin().await;
    for (function, to) in [
        ("activate", "active"),
        ("resume", "active"),
        ("keep", "active"),
        ("suspend", "suspended"),
        ("set_read_only", "read_only"),
        ("offboard", "offboarding"),
        ("mark_purged", "purged"),
    ] {
        for from in STATES {
            put(&db, from).await;
            let call = format!("select tenant.{function}('{A}', 'for the test')");
            let made = format!(
                "select 1 from tenant.status_transitions where (from_status, to_status, made_by) = ('{from}', '{to}', '{function}')"
            );
            if from == to || !admin.rows(&made).await.is_empty() {
                admin.run(&call).await;
                assert_eq!(state(&admin).await.as_deref(), Some(to), "{function} from {from}");
            } else {
                admin.expect_error("TN133", &call).await;
                assert_eq!(state(&admin).await.as_deref(), Some(from), "{function} from {from}");
            }
        }
    }
    // An end that cannot be taken back, and one that was called off, are not without a reason.
    put(&db, "offboarding").await;
    for call in ["tenant.keep", "tenant.mark_purged"] {
        admin.expect_error("TN029", &format!("select {call}('{A}', null)")).await;
    }
    db.app().await.expect_error("42501", &format!("select tenant.suspend('{A}')")).await;
}

#[tokio::test]
async fn who_enters() {
    let db = shop("states_enter").await;
    let (app, admin) = (db.app().await, db.admin().await);
    db.superuser().await.run(&format!("grant tenant_user to {0}; grant select on orders to {0}", db.roles.admin)).await;
    let count = "select count(*) from orders";
    for (state, refused, for_admin) in [
        ("provisioning", Some("TN130"), None),
        ("active", None, None),
        ("read_only", None, None),
        ("suspended", Some("TN003"), Some("TN003")),
        ("offboarding", Some("TN131"), None),
        ("purged", Some("TN132"), Some("TN132")),
    ] {
        put(&db, state).await;
        for (session, refused) in [(&app, refused), (&admin, for_admin)] {
            match refused {
                None => assert_eq!(session.inside_value(A, count).await.as_deref(), Some("3"), "{state}"),
                Some(code) => {
                    let refusal = session.refused_inside(code, A, count).await;
                    assert!(refusal.detail().is_some() && refusal.hint().is_some(), "{refusal:?}");
                }
            }
        }
    }
}

/// What is to be waited for, and until when, stands in the refusal.
#[tokio::test]
async fn a_refusal_says_until_when() {
    let db = shop("states_when").await;
    let (app, admin) = (db.app().await, db.admin().await);
    app.run("set datestyle = iso; set timezone = utc").await;
    let detail = async || app.batch_execute(&format!("select tenant.enter('{A}')")).await;
    put(&db, "provisioning").await;
    admin.run(&format!("update tenant.tenants set status_detail = 'copy_catalogue' where id = '{A}'")).await;
    let told = |answer: Result<(), tokio_postgres::Error>| {
        let error = answer.expect_err("refused");
        error.as_db_error().and_then(|e| e.detail()).expect("a DETAIL").to_owned()
    };
    let expected = "It is being set up, at step copy_catalogue, since 2026-03-01 00:00:00+00.";
    assert_eq!(told(detail().await), expected);
    admin.run(&format!("select tenant.activate('{A}')")).await;
    admin.run(&format!("select tenant.offboard('{A}', 'they left', '2031-05-01 00:00+00')")).await;
    assert_eq!(told(detail().await), "Its rows are purged after 2031-05-01 00:00:00+00.");
    // The date can be moved, and not passed over.
    let early = admin.expect_error("TN133", &format!("select tenant.mark_purged('{A}', 'at once')")).await;
    assert!(early.detail().is_some_and(|detail| detail.contains("2031")), "{early:?}");
    admin.run(&format!("select tenant.offboard('{A}', 'they want it at once', now() - interval '1 s')")).await;
    admin.run(&format!("select tenant.mark_purged('{A}', 'they want it at once')")).await;
    assert!(told(detail().await).starts_with("Its rows are gone, since "));
}

/// The tombstone has nothing left but id and times; the id is never given again, the slug may be.
#[tokio::test]
async fn a_purged_tenant_leaves_its_id() {
    let db = shop("states_purged").await;
    let admin = db.admin().await;
    admin
        .run(&format!(
            "select tenant.declare_setting('a', 'integer');
             update tenant.tenants set name = 'Acme', plan = 'gold', settings = '{{\"a\": 1}}' where id = '{A}'"
        ))
        .await;
    admin
        .run(&format!(
            "select tenant.offboard('{A}', 'they left', now()); select tenant.mark_purged('{A}', 'they left')"
        ))
        .await;
    let left = format!(
        "select num_nulls(name, slug, plan, purge_after), settings, status_since is null from tenant.tenants where id = '{A}'"
    );
    assert_eq!(admin.rows(&left).await[0].iter().flatten().collect::<Vec<_>>(), ["4", "{}", "f"]);
    admin.expect_error("TN050", &format!("select tenant.create('{A}')")).await;
    admin.run("select tenant.create('another', slug => 'a')").await;
    for back in ["active", "offboarding", "provisioning"] {
        admin.expect_error("TN133", &format!("update tenant.tenants set status = '{back}' where id = '{A}'")).await;
    }
    // Nor does one begin there.
    admin.expect_error("TN133", "insert into tenant.tenants (id, status) values ('begun', 'purged')").await;
    admin.run("insert into tenant.tenants (id, status) values ('begun', 'provisioning')").await;
}

/// Whatever the transaction does to its setting; on a connection that has entered it before, too.
#[tokio::test]
async fn a_read_only_tenant_is_not_written() {
    let db = shop("states_read_only").await;
    let (app, admin) = (db.app().await, db.admin().await);
    let insert = format!("insert into orders (tenant_id, id) values ('{A}', 77)");
    app.inside(A, "delete from orders where id = 77").await;
    admin.run(&format!("select tenant.set_read_only('{A}', 'unpaid')")).await;
    app.refused_inside("25006", A, &insert).await;
    for undo in [
        "set transaction read write",
        "set local transaction_read_only = off",
        "reset transaction_read_only",
        "savepoint s; set local transaction_read_only = off; release s",
        "select set_config('transaction_read_only', 'off', true)",
    ] {
        let script = format!("begin; select tenant.enter('{A}'); {undo}; {insert}");
        let answer = app.batch_execute(&script).await;
        app.run("rollback").await;
        let code = answer.expect_err(undo).code().map(|code| code.code().to_owned());
        assert!(matches!(code.as_deref(), Some("0A000" | "25001" | "25006" | "TN009")), "{undo}: {code:?}");
    }
    let (bound, boss) = (format!("regress_{}_bound", db.name), db.superuser().await);
    boss.run(&format!(
        "create role {bound} login; grant tenant_user to {bound}; grant select, insert on orders to {bound}"
    ))
    .await;
    admin.run(&format!("select tenant.bind_role('{bound}', '{A}')")).await;
    let login = db.connect(&bound).await;
    assert_eq!(login.value("select count(*) from orders").await.as_deref(), Some("3"));
    login.expect_error("25006", &insert).await;
    admin.run(&format!("select tenant.resume('{A}', 'paid')")).await;
    app.inside(A, &insert).await;
    login.run(&insert.replace("77", "78")).await;
}
