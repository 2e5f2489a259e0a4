//! Two tenants, tables with rows of both, and what the catalog says of a table.

use pg_tenant_tests::{Database, Session, database};

pub use pg_tenant_tests::shop::{A, B};

/// A database with the tenants [`A`] and [`B`], and a session of the owner, who is `tenant_admin` as well.
pub async fn stage(name: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.admin().await.run(&format!("select tenant.create('{A}'), tenant.create('{B}')")).await;
    let owner = db.protector().await;
    (db, owner)
}

/// SQL for a table with one row of each tenant.
pub fn table(name: &str) -> String {
    format!("create table {name} (tenant_id uuid, id int, note text); {}", rows(name))
}

/// SQL that puts one row of each tenant into a table.
pub fn rows(name: &str) -> String {
    format!("insert into {name} (tenant_id, id, note) values ('{A}', 1, 'of a'), ('{B}', 2, 'of b');")
}

/// All that protection touches of these tables: flags, policies, the column, indexes.
pub async fn catalog(session: &Session, tables: &str) -> String {
    let rows = session
        .rows(&format!(
            "select format('%s rls %s force %s', oid::regclass, relrowsecurity, relforcerowsecurity)
                from pg_class where oid = any ('{{{tables}}}'::regclass[]) order by oid;
             select format('%s policy %s permissive %s %s to %s using %s check %s', polrelid::regclass, polname, polpermissive,
                    polcmd, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
                from pg_policy where polrelid = any ('{{{tables}}}'::regclass[]) order by polrelid, polname;
             select format('%s.%s not null %s default %s', attrelid::regclass, attname, attnotnull,
                    pg_get_expr(adbin, adrelid))
                from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
                where attrelid = any ('{{{tables}}}'::regclass[]) and attnum > 0 order by attrelid, attnum;
             select pg_get_indexdef(indexrelid) from pg_index
                where indrelid = any ('{{{tables}}}'::regclass[]) order by indrelid, indexrelid;"
        ))
        .await;
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
}

/// A text value of a query's only row.
pub async fn text(session: &Session, sql: &str) -> String {
    session.value(sql).await.unwrap_or_else(|| "null".into())
}

/// Whether the server has ICU, and so nondeterministic collations.
pub async fn has_icu(superuser: &Session) -> bool {
    let sql = "create collation pg_temp.any (provider = icu, locale = 'und', deterministic = false)";
    superuser.batch_execute(sql).await.is_ok()
}
