//! What PostgreSQL tells of sizes, counters, locks and sessions: every function that the extension hides, and every
//! view over them. Both are looked up, not listed.

use pg_tenant_tests::Session;

use crate::generator::{Generator, Statement};

const LIST: &str = include_str!("../../../pg_tenant/src/guard/function/list.rs");
const HIDDEN: [&str; 3] = ["Kind::SideChannel", "Kind::Remembers", "Kind::Counts"];

/// The patterns of names under the kinds that are hidden; `%` for any letters.
fn patterns() -> Vec<String> {
    let list = LIST.split_once("const BUILTIN").expect("the list").1.split_once("const SYMBOLS").expect("its end").0;
    let is_hidden = |part: &&str| HIDDEN.iter().any(|kind| part.trim_start().starts_with(&format!("{kind},")));
    let kinds = list.split('(').filter(is_hidden);
    let names = kinds.flat_map(|part| part.split('"').skip(1).step_by(2));
    names.map(|name| name.replace('_', "\\_").replace('*', "%")).collect()
}

/// What of a row is not compared: which database, process, transaction and moment it is about, and numbers of plans.
const OWN: &str = "'{datid,datname,database,pid,query,query_id,backend_start,xact_start,query_start,state_change,prepare_time,
    backend_xid,backend_xmin,client_port,virtualxid,virtualtransaction,transactionid,relation,mode,locktype,objid,classid,
    generic_plans,custom_plans}'::text[]";

/// A value of each type that such functions take: a table's, an index's, the session's own, or one that there is.
const VALUES: &str = "case t
    when 'oid'::regtype then (array['''orders''::regclass::oid', '(select oid from pg_database where datname = current_database())', '1663::oid', '''orders_pkey''::regclass::oid'])[n]
    when 'regclass'::regtype then (array['''orders''::regclass', '''vaults''::regclass', '''told_numbers''::regclass', '''orders_pkey''::regclass'])[n]
    when 'int4'::regtype then (array['null::int', 'pg_backend_pid()', '1', '2'])[n]
    when 'int8'::regtype then (array['1::bigint', 'null::bigint', '2::bigint', '0::bigint'])[n]
    when 'text'::regtype then (array['''main''', '''relation''', '''VACUUM''', '''orders'''])[n]
    when 'name'::regtype then (array['current_database()', '''pg_default''', '''postgres''', '''orders'''])[n]
    when 'bool'::regtype then (array['true', 'false', 'true', 'false'])[n]
    else format('null::%s', t::regtype) end";

/// Statements that read all of it, one row of text for each different row that comes.
pub async fn reads(superuser: &Session) -> Vec<String> {
    let like = patterns().iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let functions = format!(
        "select p.proname, format('select distinct %s from pg_catalog.%I(%s) as told order by 1',
                case when p.prorettype = 'record'::regtype or typtype = 'c' then $told$to_jsonb(told) - {OWN}$told$ else 'told::text' end, p.proname, a.args)
         from pg_proc p join pg_type r on r.oid = p.prorettype, generate_series(1, 4) n,
            lateral (select coalesce(string_agg({VALUES}, ', ' order by place), '') as args
                from unnest(p.proargtypes) with ordinality as arguments (t, place)) a
         where p.oid < 16384 and p.prokind = 'f' and p.proname like any (array[{like}])
         group by 1, 2 order by 1, 2"
    );
    let functions = superuser.rows(&functions).await;
    let views = format!(
        "with recursive over (name) as (
            select distinct proname::text from pg_proc where oid < 16384 and proname like any (array[{like}])
            union select c.relname from over join pg_class c on pg_get_viewdef(c.oid) ~ ('\\m' || over.name || '\\M')
                where c.relkind = 'v' and c.oid < 16384)
         select distinct format($read$select distinct to_jsonb(v) - {OWN} from %s v order by 1$read$, c.oid::regclass)
         from over join pg_class c on c.relname = over.name and c.relkind = 'v' and c.oid < 16384 order by 1"
    );
    let views = superuser.rows(&views).await;
    assert!(functions.len() > 150 && views.len() > 40, "{} calls and {} views", functions.len(), views.len());
    let told = functions.into_iter().map(|mut call| call.swap_remove(1));
    told.chain(views.into_iter().map(|mut view| view.swap_remove(0))).flatten().collect()
}

/// One of them, wherever it stands; some fail, and nothing else with them.
pub fn read(g: &mut Generator, program: &mut Vec<Statement>) {
    let at = g.int(0, g.told.len() as i32) as usize;
    let read = g.told[at].clone();
    let read = match g.int(0, 5) {
        0 => format!("with told as materialized ({read}) select count(*), min(told::text) from told"),
        1 => format!("select o.id, (select string_agg(t::text, ',') from ({read}) t) from orders o where o.id < 3"),
        _ => read,
    };
    g.undone(program, Statement::of(read));
}
