//! Changes of a tenant's own rows, cursors over them, and what must be refused.

use crate::generator::{Generator, Statement};
use crate::reads::{condition, query};
use crate::tables::{FILES, LEDGER, TABLES, WRITABLE};

/// A change that succeeds, unless the rows that are there forbid it.
pub fn write(g: &mut Generator) -> Statement {
    let (id, n, (table, columns, values)) = (g.id(), g.int(1, 300), g.pick(WRITABLE));
    let sql = match g.int(0, 20) {
        0..3 => insert(g, table, columns, values),
        3 => format!("update orders set total = (total + {n}) % 1000 where {}", condition(g, "orders", &TABLES[1])),
        4 => format!("update customers set balance = (balance + {n}) % 500, name = 'name {n}' where id = {id}{}", returning(g)),
        5 => format!("update events set at = (at + {n}) % 250 where id = {id} returning tableoid::regclass, id, at"),
        6 => format!(
            "update payments p set amount = s.total % 70 from (select customer_id, sum(total)::int as total from orders
                where total > {n} group by customer_id) s where s.customer_id = p.customer_id returning p.id, p.amount"
        ),
        7 => format!("delete from orders using payments p where p.order_id = orders.id and p.amount = {} returning orders.id", n % 70),
        8 => format!("delete from {} where id = {id}", g.pick(&["visits", "facts", "robots", "machines", "events", "payments"])),
        9 => format!("delete from customers where id = {id} and not exists (select from payments p where p.customer_id = {id})"),
        10 => merge(g),
        11 => format!(
            "with gone as (delete from visits where id = {id} returning id, page, seconds)
             insert into facts (id, raw, n) select 500 + id, seconds::text, 1 from gone on conflict do nothing returning id, raw"
        ),
        12 => format!("select transfer({id}, {}, {n})", g.id()),
        13 => format!("insert into payments (id, customer_id, order_id, amount) select 100 + c.id, c.id, null, {n}
            from customers c where c.id = {id} on conflict (tenant_id, id) do update set amount = excluded.amount"),
        14 => format!("update machines set power = (power + {n}) % 90 where label = 'label {}'{}", n % 5, ""),
        15 => format!("update robots set arms = arms + 1 where id < {}", 1000 + id),
        16 => {
            let (table, value) = if g.lane.uuid { (&FILES, "path") } else { (&LEDGER, "memo") };
            format!(
                "insert into {} (id, {}, {value}) values ({id}, {n}, '{value} {n}{id}') on conflict do nothing returning id",
                table.name, table.ints[1]
            )
        }
        17 => format!("update predefined set rank = (rank + {n}) % 90 where tenant_id is null or id < {id} returning id, rank"),
        18 => format!("delete from predefined where id in (-{id}, {id}) returning id, tenant_id is null as everybodys"),
        _ => format!("update rich set name = 'rich {n}' where id < {id} returning id, name"),
    };
    Statement::of(sql)
}

fn insert(g: &mut Generator, table: &str, columns: &str, values: &str) -> String {
    let row = |g: &mut Generator| {
        values.replace("{i}", &g.int(30, 70).to_string()).replace("{n}", &g.int(1, 200).to_string())
    };
    let mut rows = format!("({})", row(g));
    for _ in 0..g.int(0, 3) {
        rows += &format!(", ({})", row(g));
    }
    let update = columns.rsplit(", ").next().unwrap_or(columns);
    let conflict = if rows.contains("), (") || g.one_in(2) {
        "on conflict do nothing".to_owned()
    } else {
        let filter = if g.one_in(2) { format!(" where {table}.id % 2 = 0") } else { String::new() };
        let target = "(tenant_id, id)";
        // The child's own key; its parent's is another.
        format!("on conflict {target} do update set {update} = excluded.{update}{filter}")
    };
    format!("insert into {table} ({columns}) values {rows} {conflict} returning {columns}")
}

fn returning(g: &mut Generator) -> &'static str {
    if g.major >= 18 {
        g.pick(&["", " returning id, balance", " returning old.balance, new.balance, old.name, new.name"])
    } else {
        g.pick(&["", " returning id, balance"])
    }
}

fn merge(g: &mut Generator) -> String {
    let (first, n) = (g.int(1, 60), g.int(1, 300));
    let returning = if g.major >= 17 { " returning merge_action(), v.id, v.seconds" } else { "" };
    let unmatched =
        if g.major >= 17 && g.one_in(2) { "when not matched by source and v.seconds > 560 then delete" } else { "" };
    format!(
        "merge into visits v using (select i as id, {n} + i as seconds from generate_series({first}, {first} + 5) i) s
            on v.id = s.id
         when matched and v.seconds > 400 then delete
         when matched then update set seconds = s.seconds
         when not matched and s.id % 2 = 0 then insert (id, page, seconds) values (s.id, 'merged', s.seconds)
         when not matched then do nothing {unmatched}{returning}"
    )
}

/// A cursor in a total order, and what is fetched from it or changed through it.
pub fn cursor(g: &mut Generator, program: &mut Vec<Statement>) {
    let (name, n) = (g.name("c"), g.int(1, 9));
    let ordered = |sql: String| Statement { ordered: true, ..Statement::of(sql) };
    if g.one_in(3) {
        program.push(Statement::of(format!(
            "declare {name} cursor for select id, seconds from visits where seconds > {} order by id for update",
            n * 20
        )));
        program.push(ordered(format!("fetch {n} from {name}")));
        let change = Statement::of(if g.one_in(3) {
            format!("delete from visits where current of {name}")
        } else {
            format!("update visits set seconds = {n} where current of {name} returning id, seconds")
        });
        g.undone(program, change); // there may be no row
    } else {
        let query = query(g, 2);
        program
            .push(Statement::of(format!("declare {name} scroll cursor for select * from ({query}) q order by 1, 2")));
        for _ in 0..g.int(1, 5) {
            let fetch = g.pick(&[
                "fetch {} from",
                "fetch backward {} from",
                "fetch absolute {} from",
                "move {} in",
                "fetch all from",
            ]);
            program.push(ordered(format!("{} {name}", fetch.replace("{}", &n.to_string()))));
        }
    }
    program.push(Statement::of(format!("close {name}")));
}

/// What is refused, by PostgreSQL or by the extension.
pub fn refused(g: &mut Generator) -> String {
    let (id, other, (table, columns, values)) = (g.id(), g.other_tenant(), g.pick(WRITABLE));
    let row = values.replace("{i}", &id.to_string()).replace("{n}", "5");
    match g.int(0, 33) {
        0 | 1 => format!("insert into {table} ({columns}) values ({row})"), // there, most likely
        2 => format!("insert into orders (id, customer_id, total) values (900, {}, 1)", g.pick(&[999, 1800, 60])),
        3 => format!(
            "insert into customers (id, email) values (900, 'c{}@example.org')",
            g.pick(&[1, 41, 60]) + g.int(0, 30)
        ),
        4 => format!("update customers set balance = -5000 where id <= {id}"),
        5 => format!("update customers set balance = 666 where id = {id}"),
        6 => format!("insert into orders (tenant_id, id, total) values ('{other}', {id}, 1)"),
        7 => format!("update {table} set tenant_id = '{other}' where id = {id}"),
        8 => format!("select tenant.enter('{other}')"),
        9 => format!("select tenant.enter_pristine('{other}')"),
        10 => format!("lock table {table}"),
        11 => format!("truncate {table}"),
        12 => format!("create table copied as table {table}"),
        13 => format!("alter table {table} add extra int"),
        14 => format!("declare held cursor with hold for table {table}"),
        15 => format!("set pg_tenant.id = '{other}'"),
        16 => "select 1 / (id - id) from customers".into(),
        17 => format!("delete from customers where id = {id}"),
        18 => format!("select name::int from customers where id = {id}"),
        19 => "table tenant.tenants".into(),
        20 => format!("update payments set customer_id = {} where id <= {id}", g.pick(&[777, 1800])),
        21 => format!(
            "set constraints all deferred; insert into payments (id, customer_id, amount) values (900, {}, 1);
            set constraints all immediate",
            g.pick(&[777, 1801])
        ),
        22 => format!("select tenant.protect('{table}')"),
        23 => format!(
            "insert into files (owner_id, id, path) values ('{}', {id}, 'mine')",
            "00000000-0000-4000-8000-000000000009"
        ),
        28 => format!("update people set age = 1 where age = {id}"),
        29 => format!("insert into belonging (id) select max(id) + {id} from people"),
        30 => format!("update belonging set id = id + {id}"),
        31 => format!("delete from people where age > {id}"),
        24 => "insert into currency values ('eur', 5)".into(),
        25 => format!("insert into predefined (tenant_id, id, code) values (null, {id}, 'everybody''s')"),
        26 => format!("update predefined set tenant_id = null where id <= {id}"),
        27 => format!(
            "merge into predefined p using (values (-{id}), ({id})) v (id) on p.id = v.id when matched then update set rank = {id}"
        ),
        _ => format!(
            "do $$ begin raise exception 'at %', (select sum(total) from orders where id < {id}) using detail = 'mine', hint = 'none'; end $$"
        ),
    }
}
