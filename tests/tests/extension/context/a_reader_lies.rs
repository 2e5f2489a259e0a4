//! A reader returns the tenant that was entered, and NULL where the id has no value of its type.

use pg_tenant_tests::shop::{A, shop};

/// An id, and what current_id, current_uuid and current_bigint give inside it; `-` is null.
const READERS: &[[&str; 4]] = &[
    [A, A, A, "-"],
    ["AAAAAAAA-0000-4000-8000-00000000000A", A, A, "-"],
    [
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "-",
    ],
    [
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "-",
    ],
    ["0", "0", "-", "0"],
    ["7", "7", "-", "7"],
    ["007", "007", "-", "-"],
    ["9223372036854775807", "9223372036854775807", "-", "9223372036854775807"],
    ["9223372036854775808", "9223372036854775808", "-", "-"],
    ["acme", "acme", "-", "-"],
    ["a.b_c:d@e~f+g-h", "a.b_c:d@e~f+g-h", "-", "-"],
];

const READ: &str = "select coalesce(tenant.current_id(), '-'), coalesce(tenant.current_uuid()::text, '-'),
    coalesce(tenant.current_bigint()::text, '-')";

#[tokio::test]
async fn of_the_tenant() {
    let db = shop("readers").await;
    db.superuser().await.run(&format!("alter database {} set pg_tenant.require_registered = off", db.name)).await;
    let app = db.app().await;
    let none = vec![vec![Some("-".to_owned()); 3]];
    for [id, readers @ ..] in READERS {
        let expected: Vec<_> = readers.iter().map(|value| Some((*value).to_owned())).collect();
        assert_eq!(app.inside(id, READ).await, [expected], "{id}");
        assert_eq!(app.rows(READ).await, none, "after {id}");
    }
    let longest = "x".repeat(63);
    assert_eq!(app.inside_value(&longest, "select tenant.current_id()").await, Some(longest));
    // Who is no tenant's user cannot name them; in a policy they work for everybody (`strict` shows it).
    db.bystander().await.expect_error("42501", READ).await;
    // A trigger function nobody calls.
    let open = "select string_agg(distinct pronamespace::regnamespace || '.' || proname, ' ' order by pronamespace::regnamespace || '.' || proname)
        from pg_proc
        where pronamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and has_function_privilege('public', oid, 'execute')
            and prorettype <> 'trigger'::regtype";
    let readers = "tenant.can tenant.current_actor tenant.current_actor_role tenant.current_bigint tenant.current_id \
        tenant.current_impersonator \
        tenant.current_member_role tenant.current_role tenant.current_uuid tenant.has_role \
        tenant.in_system_context tenant.is_current tenant.is_current_or_shared tenant.is_member tenant.is_sealed \
        tenant.require \
        tenant_internal.hidden tenant_internal.hidden_set tenant_internal.is_shown tenant_internal.own_row";
    assert_eq!(db.superuser().await.value(open).await.as_deref(), Some(readers), "all that PUBLIC may call");
    let open = "select count(*) from pg_class c, aclexplode(relacl) a 
        where relnamespace in ('tenant'::regnamespace, 'tenant_internal'::regnamespace) and grantee = 0";
    assert_eq!(db.superuser().await.value(open).await.as_deref(), Some("0"), "PUBLIC reads no table");
    // What PUBLIC may call there stands in plans and is found by its oid: nobody names it.
    let named = "select string_agg(distinct grantee::regrole::text, ' ') from pg_namespace, aclexplode(nspacl) a
        where nspname = 'tenant_internal' and grantee <> nspowner";
    assert_eq!(
        db.superuser().await.value(named).await.as_deref(),
        Some("tenant_admin"),
        "who may name what is internal"
    );
}

/// What a reader gave stays what it was: it points into memory that the next transaction writes.
#[tokio::test]
async fn once_the_next_tenant_is_entered() {
    let db = shop("kept").await;
    let app = db.app().await;
    app.run("create temp table kept (id text collate \"C\", u uuid)").await;
    for id in [A, "bbbbbbbb-0000-4000-8000-00000000000b"] {
        app.inside(id, "insert into kept select tenant.current_id(), tenant.current_uuid() from generate_series(1, 3)")
            .await;
    }
    let kept = app.rows("select distinct id, u from kept order by id").await;
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|row| row[0] == row[1]), "{kept:?}");
    let array = "do $$ declare v text[]; begin v := array[tenant.current_id()]; commit; perform tenant.enter('bbbbbbbb-0000-4000-8000-00000000000b');
        if v[1] is not null or tenant.current_id() !~ '^b' then raise '%', v; end if; end $$";
    app.run(array).await;
}
