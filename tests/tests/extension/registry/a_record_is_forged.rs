//! The journal says what was done, when, and by whom.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn by_an_administrator() {
    let db = shop("forged").await;
    let admin = db.admin().await;
    for forgery in [
        "insert into tenant.journal (action, object, role) values ('suspend', 'x', 'postgres')",
        "insert into tenant.journal (action, object, session_role) values ('suspend', 'x', 'postgres')",
        "insert into tenant.journal (action, object, at) values ('suspend', 'x', '2000-01-01')",
        "insert into tenant.journal (id, action, object) overriding system value values (1, 'suspend', 'x')",
        "update tenant.journal set reason = 'another'",
        "delete from tenant.journal",
        "truncate tenant.journal",
        "select setval('tenant.journal_id_seq', 1)",
        "insert into tenant.shared (relation, reason, shared_by) values ('public.orders', 'x', 'postgres')",
        "insert into tenant.shared (relation, reason, shared_at) values ('public.orders', 'x', '2000-01-01')",
        "update tenant.shared set shared_by = 'postgres'",
    ] {
        admin.expect_error("42501", forgery).await;
    }
    // A line of one's own can be added: under one's own name and time.
    admin.run("insert into tenant.journal (action, object, reason) values ('note', 'x', 'seen')").await;
    let by = "select role = current_user and session_role = session_user and at = now() from tenant.journal where action = 'note'";
    assert_eq!(
        admin
            .value(&format!(
                "begin; insert into tenant.journal (action, object) values ('note', 'y'); {by} and object = 'y'; commit"
            ))
            .await
            .as_deref(),
        Some("t")
    );
}

#[tokio::test]
async fn by_saying_nothing() {
    let db = shop("silent").await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    admin.run(&format!("select tenant.suspend('{A}', 'unpaid'), tenant.suspend('{A}', 'again')")).await;
    admin.run(&format!("select tenant.resume('{A}', 'paid'), tenant.resume('{A}', 'again')")).await;
    admin.run(&format!("select tenant.set_limits('{A}', statement_timeout => '1 s', read_only => true)")).await;
    superuser.run("create table countries (code text); select tenant.share('countries', 'the same for all')").await;
    superuser
        .run("select tenant.unshare('countries', 'not the same'); select tenant.unprotect('orders', 'moved')")
        .await;
    admin.run(&format!("select tenant.bind_role('{}', '{A}'); select tenant.unbind_role('{0}')", db.roles.app)).await;
    let journal = admin
        .rows(
            "select action, object, coalesce(reason, ''), role, session_role from tenant.journal
             where action <> 'create' order by id",
        )
        .await;
    let (admin, postgres, app) = (&db.roles.admin, "postgres", &db.roles.app);
    let expected = [
        ["protect", "public.orders", "", postgres, postgres],
        ["suspend", A, "unpaid", admin, admin],
        ["resume", A, "paid", admin, admin],
        ["set_limits", A, "", admin, admin],
        ["share", "public.countries", "the same for all", postgres, postgres],
        ["unshare", "public.countries", "not the same", postgres, postgres],
        ["unprotect", "public.orders", "moved", postgres, postgres],
        ["bind_role", app, "", admin, admin],
        ["unbind_role", app, "", admin, admin],
    ];
    let journal: Vec<Vec<_>> = journal.into_iter().map(|row| row.into_iter().flatten().collect()).collect();
    assert_eq!(journal, expected);
}

/// tenant_admin writes the tables as well, where a function does not do what is needed: to the same rules.
#[tokio::test]
async fn by_writing_past_the_functions() {
    let db = shop("past").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    boss.run("create table countries (code text)").await;
    let shared = "insert into tenant.shared (relation, reason) values";
    let waiver = "insert into tenant.waivers (code, object, reason, until) values";
    for (code, sql) in [
        ("42501", format!("{shared} ('public.countries', 'not mine')")),
        ("TN082", format!("{waiver} ('T001', 'x', 'why', '2000-01-01')")),
        ("TN082", format!("{waiver} ('T001', 'x', 'why', 'infinity')")),
        ("TN029", format!("{waiver} ('T001', 'x', ' ', now() + interval '1 day')")),
        ("TN100", format!("{waiver} ('T001', 'x', E'a\\nb', now() + interval '1 day')")),
        ("TN100", format!("update tenant.tenants set name = E'a\\u202Eb' where id = '{A}'")),
        ("TN100", "select tenant.create('x', name => E'a\\rb')".into()),
        ("TN100", "select tenant.create('x', plan => E'a\\u2028b')".into()),
        ("TN100", format!("select tenant.suspend('{A}', E'unpaid\\u2028')")),
        ("TN100", "select tenant.waive('T001', 'x', E'a\\u2066', now() + interval '1 day')".into()),
    ] {
        admin.expect_error(code, &sql).await;
    }
    boss.run(&format!("alter table countries owner to {}", db.roles.admin)).await;
    admin.run(&format!("{shared} ('public.countries', 'the same for all')")).await;
    admin.expect_error("TN029", "update tenant.shared set reason = ''").await;
    boss.run("alter table countries owner to postgres").await;
    admin.expect_error("42501", "delete from tenant.shared").await;
    boss.run(&format!("alter table countries owner to {}", db.roles.admin)).await;
    admin
        .run(&format!(
            "delete from tenant.shared;
             {waiver} ('T001', 'x', 'why', '2999-01-01'); delete from tenant.waivers;
             begin; select set_config('tenant.reason', 'a reason', true);
             insert into tenant.tenants (id) values ('direct'); commit;
             update tenant.tenants set status = 'suspended', work_mem_kb = 64, name = 'D', plan = 'p' where id = 'direct';
             update tenant.tenants set status = 'active' where id = 'direct';
             update tenant.tenants set status = 'active' where id = 'direct';
             select tenant.suspend('direct', 'by the function'), tenant.resume('direct')"
        ))
        .await;
    let lines = "select concat_ws(' ', action, object, reason, detail) from tenant.journal
        where (object in ('public.countries', 'direct') or object like 'T001%') and role = session_role order by id";
    let lines: Vec<String> = admin.rows(lines).await.into_iter().flatten().flatten().collect();
    let expected = [
        "share public.countries the same for all",
        "unshare public.countries",
        "waive T001 x why {\"until\": \"2999-01-01T00:00:00+00:00\"}",
        "unwaive T001 x",
        "create direct a reason",
        "suspend direct",
        "set_limits direct {\"read_only\": false, \"work_mem_kb\": 64}",
        "change direct {\"columns\": [\"name\", \"plan\"]}",
        "resume direct",
        "suspend direct by the function",
        "resume direct",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn under_another_role() {
    let db = shop("asanother").await;
    db.superuser().await.run(&format!("grant {} to {}", db.roles.admin, db.roles.bystander)).await;
    let session = db.bystander().await;
    session.run(&format!("set role {}; select tenant.suspend('{A}')", db.roles.admin)).await;
    let who = session.rows("select role, session_role from tenant.journal where action = 'suspend'").await;
    assert_eq!(who, [[Some(db.roles.admin.clone()), Some(db.roles.bystander.clone())]]);
}

#[tokio::test]
async fn by_a_number_that_has_no_key() {
    let db = pg_tenant_tests::database("snowflakes").await;
    let admin = db.admin().await;
    for (id, key) in [
        ("9223372036854775807", Some("9223372036854775807")),
        ("1234567890123456789", Some("1234567890123456789")),
        ("9223372036854775808", None),
        ("0", Some("0")),
    ] {
        admin.run(&format!("select tenant.create('{id}')")).await;
        let stored = admin.value(&format!("select bigint_id from tenant.tenants where id = '{id}'")).await;
        assert_eq!(stored.as_deref(), key);
        assert_eq!(db.app().await.inside_value(id, "select tenant.current_bigint()").await.as_deref(), key);
    }
}

/// The line of a new tenant is written without a statement, and by one where the journal is not as the extension made
/// it.
#[tokio::test]
async fn by_the_way_it_is_written() {
    let db = shop("journal_lines").await;
    let (admin, superuser) = (db.admin().await, db.superuser().await);
    let changes = [
        "select 1",
        "create index on tenant.journal (lower(object))",
        "create unique index on tenant_internal.journal_rest (object) where action = 'create'",
        "create index on tenant.journal (object) where action = 'create'",
        "alter table tenant.journal add column seen boolean not null default false",
        "alter table tenant.journal add check (object <> 'unheard')",
        "create function stamp() returns trigger language plpgsql as $$ begin
             if new.object = 'unwanted' then raise exception 'no' using errcode = 'AB123'; end if;
             return new;
         end $$;
         create trigger stamp before insert on tenant.journal for each row execute function stamp()",
    ];
    for (n, change) in changes.iter().enumerate() {
        superuser.run(change).await;
        admin
            .run(&format!(
                "begin; select set_config('tenant.reason', 'signed {n}', true), tenant.create('t{n}'); commit"
            ))
            .await;
        admin.run(&format!("insert into tenant.tenants (id) values ('u{n}'), ('v{n}')")).await;
        let lines = admin
            .rows(&format!(
                "select action, object, coalesce(reason, '-'), role, session_role, at = created_at, detail is null
                 from tenant.journal j join tenant.tenants t on t.id = j.object where object in ('t{n}', 'u{n}', 'v{n}') order by j.id"
            ))
            .await;
        let by = db.roles.admin.as_str();
        let line = |object: char, reason: &str| {
            let line = ["create", &format!("{object}{n}"), reason, by, by, "t", "t"];
            line.map(|value| Some(value.to_owned())).to_vec()
        };
        assert_eq!(lines, [line('t', &format!("signed {n}")), line('u', "-"), line('v', "-")], "{change}");
    }
    admin.expect_error("AB123", "select tenant.create('unwanted')").await;
    admin.expect_error("23514", "select tenant.create('unheard')").await;
    admin.expect_error("42501", "select tenant_internal.journal_created('x', 'y')").await;
}
