//! The tables that are attacked: nobody changes them but in what is rolled back, so that the rows of those who are
//! watched lie in the same order in both worlds, and a count of calls is the same where the plan is.

use crate::lane::Lane;

/// A table or a view of the shape of `vaults`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vault {
    pub name: &'static str,
    /// Of the tenant column, `note` and `kind`: empty for text.
    pub cast: &'static str,
    pub writable: bool,
}

const fn vault(name: &'static str, cast: &'static str, writable: bool) -> Vault {
    Vault { name, cast, writable }
}

/// For every tenant.
pub const VAULTS: &[Vault] = &[
    vault("vaults", "", true),
    vault("chests", "", true),
    vault("ranged", "", true),
    vault("hashed", "", true),
    vault("heirs", "", true),
    vault("coffers", "", true),
    vault("folk", "", false),
    vault("folk", "", false),
    vault("shown", "", false),
    vault("lent", "", false),
];

/// For those whose id is a uuid, and those whose id is a bigint.
pub const SAFES: Vault = vault("safes", "::uuid", true);
pub const TILLS: Vault = vault("tills", "::bigint", true);

/// Rows for who is watched: none in `chests`.
pub fn watched(lane: &Lane, lanes: &[Lane]) -> String {
    let rows = |table, uuid: Option<bool>| {
        let ids = ids(lanes, uuid);
        format!(
            "insert into {table} select '{}', i, ({ids})[1 + i % 5], ({ids})[1 + i % 3], 'c' || i || '@example.org', i * 3, i,
                array['tag ' || i % 5], polygon(circle(point(-i, -i), 1)) from generate_series(1, 40) i",
            lane.tenant
        )
    };
    of_each(lane.uuid, rows)
}

/// Rows for a stranger: many are alike in what those who are watched have not.
pub fn hidden(tenant: &str, lanes: &[Lane], (from, to): (u32, u32)) -> String {
    let rows = |table, uuid| {
        let ids = ids(lanes, uuid);
        format!(
            "insert into {table} select '{tenant}', i, ({ids})[1 + i % 5], ({ids})[1 + i % 4],
                case when i % 2 = 0 then 'secret' else 'c' || i end || '@example.org',
                case when i % 3 = 0 then i % 120 else 500 + i % 50 end, i, array['tag ' || i % 7, 'secret'],
                polygon(circle(point(300 + i % 50, 300), 1)) from generate_series({from}, {to}) i"
        )
    };
    rows("chests", None) + ";" + &of_each(tenant.len() > 30, rows)
}

/// Rows of nobody, which are everybody's.
pub const SHARED: &str = "insert into coffers select null, i, (array['1001', '2001', 'note ' || i])[1 + i % 3], '1001', 'c' || i || '@example.org',
        i * 3, case when i % 2 = 0 then -i else 50 + i end, array['tag ' || i % 5], polygon(circle(point(-i, -i), 1))
        from generate_series(1, 12) i;
    insert into predefined select null, -i, 'shared ' || i, i * 7 % 90 from generate_series(1, 12) i;";

/// The rows of a tenant lie in one order in both worlds, and others' rows between them.
pub const IN_ORDER: &str = "do $$ declare t record; begin
        for t in select i.indrelid::regclass as name, c.relname as key from pg_index i join pg_class c on c.oid = i.indexrelid
            where i.indkey::text = '7' and c.relkind = 'i' and pg_get_indexdef(c.oid) like '%btree (rank)'
        loop
            execute format('cluster %s using %I', t.name, t.key);
        end loop;
    end $$;";

fn of_each(uuid: bool, rows: impl Fn(&'static str, Option<bool>) -> String) -> String {
    let own = if uuid { "safes" } else { "tills" };
    let all = ["vaults", "ranged", "hashed", "coffers", "folk"].map(|table| rows(table, None)).join("; ");
    let all = all + "; insert into belongs select tenant_id, key from folk on conflict do nothing";
    let heirs = format!("{} where i % 3 > 0; {} where i % 3 = 0", rows("heirs", None), rows("late_heirs", None));
    format!("{all}; {heirs}; {};", rows(own, Some(uuid)))
}

/// Who is watched, as an array of five.
fn ids(lanes: &[Lane], uuid: Option<bool>) -> String {
    let fitting = lanes.iter().filter(|lane| uuid.is_none_or(|uuid| lane.uuid == uuid));
    let mut ids: Vec<_> = fitting.map(|lane| format!("'{}'", lane.tenant)).collect();
    ids.resize(5, "null".into());
    let kind = uuid.map_or("text", |uuid| if uuid { "uuid" } else { "bigint" });
    format!("array[{}]::{kind}[]", ids.join(", "))
}
