//! A value in a line of `tenant.audit` is what `to_jsonb` makes of the row, whatever its type, its length and its form
//! in the table.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn than_to_jsonb_writes_it() {
    let db = shop("audit_values").await;
    let owner = db.owner().await;
    owner
        .run(
            "create domain price as numeric; create domain word as text; create type mood as enum ('glad', 'sad');
             create table things (tenant_id uuid not null, n int primary key, i2 int2, i4 int4, i8 int8, x numeric, f8 float8, f4 float4,
                t text, v varchar(20), c char(5), b boolean, u uuid, d date, ts timestamp, tz timestamptz, tm time, iv interval,
                j json, jb jsonb, a int[], m mood, p price, w word, y bytea, r numeric[], po point)",
        )
        .await;
    db.superuser().await.run("select tenant.protect('things'), tenant.audit('things')").await;
    owner.run(&format!("grant select, insert, update, delete on things to {}", db.roles.app)).await;
    let app = db.app().await;
    app.inside(
        A,
        r#"insert into things (n) values (1); insert into things values (default, 2, -32768, -2147483648, -9223372036854775808, -1.50, 'NaN', '-Infinity',
                '', 'é€😀', 'ab', false, gen_random_uuid(), '-infinity', 'infinity', '2024-02-29 12:00:00.123456+14', '24:00', '-1 mon 3 days',
                'null', '"x"', '{1,null,3}', 'sad', 'NaN', E'a"\\\n', '\x00ff', '{1.10,NaN}', '(1,2)'),
            (default, 3, 32767, 2147483647, 9223372036854775807, 'Infinity', 0.1, 1e-7, repeat('long "text" ', 5000), 'v', '', true,
                '00000000-0000-0000-0000-000000000000', '4713-01-01 BC', '0044-03-15 BC', 'infinity', '00:00:00.000001', '0',
                '{"k": [1, {"z": 2.0}]}', '[]', '{}', 'glad', 1e100, repeat('w', 200), '', '{}', '(0,-0)'),
            (default, 4, 0, 0, 0, '-Infinity', 0, 0, repeat('x', 127), repeat('y', 20), 'abcde', null, null, '10000-01-01', '1999-12-31',
                '-infinity', '12:00', '1 year', null, null, null, null, 12345678901234567890.123456789, 'q', null, null, null)"#,
    )
    .await;
    let differs = |side: &str, change: &str| {
        format!(
            "select count(*) || ' ' || count(*) filter (where c.{side} is distinct from to_jsonb(it)) from tenant.audit_changes c
             join things it on it.n = (c.key ->> 'n')::int where c.change = '{change}'"
        )
    };
    let count = async |sql: String| app.inside(A, &sql).await.remove(0).remove(0).expect("a text");
    assert_eq!(count(differs("after", "insert")).await, "4 0");
    // The same of values that stand compressed or outside of the row.
    app.inside(A, "update things set t = t || repeat('more', 20000), w = repeat('w', 100000)::word where n > 1").await;
    let sql = "select count(*) || ' ' || count(*) filter (where c.after ->> 't' is distinct from it.t or c.after ->> 'w' <> it.w)
        from tenant.audit_changes c join things it on it.n = (c.key ->> 'n')::int where c.change = 'update'";
    assert_eq!(count(sql.to_owned()).await, "3 0");
    // The values before a change are those that were there.
    app.inside(A, "delete from things").await;
    let sql =
        "select count(*) || ' ' || count(*) filter (where d.before is distinct from i.after || coalesce(u.after, '{}'))
        from tenant.audit_changes d join tenant.audit_changes i on i.change = 'insert' and i.key = d.key
        left join tenant.audit_changes u on u.change = 'update' and u.key = d.key where d.change = 'delete'";
    assert_eq!(count(sql.to_owned()).await, "4 0");
}
