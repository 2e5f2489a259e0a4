//! Queries, each with a result that is the same whatever the plan, but for the order of rows.

use crate::generator::{Generator, Statement};
use crate::tables::Table;

/// A query; some in a total order, some by COPY.
pub fn read(g: &mut Generator) -> Statement {
    let columns = g.pick(&[2, 2, 3]);
    if g.one_in(9) {
        return Statement::of(leaky(g));
    }
    if g.one_in(12) {
        return Statement::of(called(g));
    }
    if g.one_in(25) {
        let (query, table) = (query(g, columns), g.relation().name);
        return Statement::of(match g.int(0, 3) {
            0 => format!("copy (select * from {table}) to stdout"),
            1 => format!("copy (select * from ({query}) q order by 1, 2) to stdout with (format csv, header)"),
            _ => format!("copy {} to stdout", g.keyed().name),
        });
    }
    let query = query(g, columns);
    if !g.one_in(3) {
        return Statement::of(query);
    }
    // Ordered by all of its columns: rows that are not told apart by that are the same.
    let order = if columns == 2 { g.pick(&["1, 2", "2 desc, 1", "1 desc nulls last, 2"]) } else { "3, 2 desc, 1" };
    let limit = if g.one_in(2) { format!(" limit {} offset {}", g.int(1, 20), g.int(0, 4)) } else { String::new() };
    let sql = format!("select * from ({query}) q order by {order}{limit}");
    Statement { ordered: true, ..Statement::of(sql) }
}

/// A query with so many columns, the first of which is an int and the second a text.
pub fn query(g: &mut Generator, columns: i32) -> String {
    let third = if columns == 3 { ", 3" } else { "" };
    match g.int(0, 10) {
        0 | 1 => plain(g, columns),
        2 | 3 => joined(g, columns),
        4 => grouped(g, columns),
        5 => windowed(g, columns),
        6 => {
            let (left, right) = (plain(g, columns), joined(g, columns));
            let op = g.pick(&["union", "union all", "intersect", "intersect all", "except", "except all"]);
            format!("({left}) {op} ({right})")
        }
        7 => with(g, third),
        8 => lateral(g, third),
        _ => {
            let distinct = plain(g, columns).replacen("select", "select distinct", 1);
            format!("select * from ({distinct}) d")
        }
    }
}

fn int(g: &mut Generator, alias: &str, table: &Table) -> String {
    let (column, k) = (g.pick(table.ints), g.int(1, 90));
    match g.int(0, 7) {
        0 => format!("({alias}.{column} + {k})"),
        1 => format!("coalesce({alias}.{column} % {}, 0)", 1 + k % 7),
        2 => format!("case when {alias}.{column} > {k} then {k} else {alias}.{column} end"),
        3 => format!("length({alias}.{})", g.pick(table.texts)),
        _ => format!("{alias}.{column}"),
    }
}

fn text(g: &mut Generator, alias: &str, table: &Table) -> String {
    let column = g.pick(table.texts);
    match g.int(0, 6) {
        0 => format!("upper({alias}.{column})"),
        1 => format!("coalesce({alias}.{column}, '-')"),
        2 => format!("{alias}.{}::text", g.pick(table.ints)),
        _ => format!("{alias}.{column}"),
    }
}

/// Something true of about half of the rows.
pub fn condition(g: &mut Generator, alias: &str, table: &Table) -> String {
    let (value, k, column) = (int(g, alias, table), g.int(1, 60), g.pick(table.ints));
    let (id, words) = (g.pick(&["id", "customer_id"]), g.pick(table.texts));
    match g.int(0, 14) {
        0 => format!("{alias}.{column} between {} and {}", k / 2, k * 6),
        1 => format!("{alias}.{column} in ({k}, {}, {})", k + 1, k * 2),
        2 => format!("{alias}.{words} like '%{}%'", k % 10),
        3 => format!("exists (select from orders x where x.{id} = {alias}.{column})"),
        4 => format!("{alias}.{column} in (select x.customer_id from payments x where x.amount > {k})"),
        5 => format!("{alias}.{column} not in (select x.id from visits x where x.seconds > {})", k * 5),
        6 => format!("{alias}.{column} = any (array(select x.n from facts x))"),
        7 => format!("{alias}.{column} > (select avg(x.total) / 4 from orders x where x.id <> {k})"),
        8 => format!("({value} > {k} or {alias}.{words} is null)"),
        9 => format!("not ({value} < {k})"),
        10 => format!("{alias}.{column} >= all (select x.key - 100 from audit x where x.key < {k})"),
        _ => format!("{value} > {k}"),
    }
}

fn outputs(g: &mut Generator, columns: i32, a: (&str, &Table), b: (&str, &Table)) -> String {
    let mut list = format!("{} as a, {} as b", int(g, a.0, a.1), text(g, b.0, b.1));
    if columns == 3 {
        list += &format!(", {} as c", int(g, b.0, b.1));
    }
    list
}

fn plain(g: &mut Generator, columns: i32) -> String {
    let table = g.relation();
    let outputs = outputs(g, columns, ("t", table), ("t", table));
    let (first, second) = (condition(g, "t", table), condition(g, "t", table));
    let glue = g.pick(&["and", "or", "or"]);
    format!("select {outputs} from {} t where {first} {glue} {second}", table.name)
}

fn joined(g: &mut Generator, columns: i32) -> String {
    let (one, two) = (g.relation(), g.relation());
    let outputs = outputs(g, columns, ("t", one), ("u", two));
    let join = g.pick(&["join", "join", "left join", "right join", "full join"]);
    let (x, y) = (one.ints[0], g.pick(two.ints));
    let filter = condition(g, "t", one);
    let third = if g.one_in(4) { "left join customers v on v.id = t.".to_owned() + x } else { String::new() };
    format!("select {outputs} from {} t {join} {} u on t.{x} = u.{y} {third} where {filter}", one.name, two.name)
}

fn grouped(g: &mut Generator, columns: i32) -> String {
    let table = g.relation();
    let (i, t, filter) = (g.pick(table.ints), g.pick(table.texts), condition(g, "t", table));
    let value = g.pick(&["count(*)", "sum({})", "max({})", "min({})", "count(distinct {})", "round(avg({}), 2)"]);
    let value = value.replace("{}", &format!("t.{i}")) + "::int";
    let third = g.pick(&[", count(*)", ", sum(t.{}) filter (where t.{} > 20)", ", bool_or(t.{} > 9)::int"]);
    let third = if columns == 3 { third.replace("{}", i) + "::int" } else { String::new() };
    let (key, name) = match g.int(0, 6) {
        0 => ("rollup (t.{t})", format!("t.{t}")),
        1 => ("cube (t.{t}, t.tenant_id)", format!("t.{t}")),
        2 => ("grouping sets ((t.{t}), ())", format!("t.{t}")),
        3 => ("()", format!("string_agg(t.{t}, ',' order by t.{t})")),
        4 => ("()", format!("array_agg(t.{i} order by t.{i})::text")),
        _ => ("t.{t}", format!("t.{t}")),
    };
    let cube = key.contains("tenant_id") && !table.texts.contains(&"tenant_id");
    let key = key.replace("{t}", t).replace(", t.tenant_id", if cube { ", length(t.{t})" } else { ", t.tenant_id" });
    let key = key.replace("{t}", t);
    let having = if g.one_in(3) { " having count(*) >= 1" } else { "" };
    format!("select {value} as a, {name} as b{third} from {} t where {filter} group by {key}{having}", table.name)
}

fn windowed(g: &mut Generator, columns: i32) -> String {
    let table = g.keyed();
    let (i, t) = (g.pick(table.ints), g.pick(table.texts));
    let window = g.pick(&[
        "row_number() over (order by t.id)",
        "rank() over (partition by t.{t} order by t.{i})",
        "sum(t.{i}) over (order by t.{i})",
        "lag(t.{i}) over (partition by t.{t} order by t.id desc)",
        "sum(t.{i}) over (order by t.id rows between 2 preceding and 1 following)",
        "count(*) over (partition by t.{t})",
        "first_value(t.id) over (partition by t.{t} order by t.id)",
    ]);
    let window = window.replace("{t}", t).replace("{i}", i);
    let third = if columns == 3 { ", t.id as c" } else { "" };
    format!("select ({window})::int as a, t.{t} as b{third} from {} t where {}", table.name, condition(g, "t", table))
}

fn with(g: &mut Generator, third: &str) -> String {
    let hint = g.pick(&["", "materialized", "not materialized"]);
    if g.one_in(2) {
        let (first, second) = (plain(g, 2), joined(g, 2));
        let third = if third.is_empty() { "" } else { ", y.a" };
        return format!(
            "with x as {hint} ({first}), y as ({second}) select x.a, y.b{third} from x join y on x.a = y.a"
        );
    }
    let id = g.id();
    format!(
        "with recursive r (id, depth) as (select id, 0 from customers where id <= {id}
            union select o.customer_id, r.depth + 1 from r join orders o on o.id = r.id where r.depth < 4)
         select r.id as a, c.name as b{third} from r left join customers c on c.id = r.id"
    )
}

fn lateral(g: &mut Generator, third: &str) -> String {
    let (n, filter) = (g.int(1, 4), condition(g, "c", &crate::tables::TABLES[0]));
    let side = g.pick(&[
        "select o.id, o.note from orders o where o.customer_id = c.id order by o.total desc, o.id limit {n}",
        "select p.amount, 'paid' from payments p where p.customer_id = c.id order by p.id limit {n}",
        "select f.id, 'of ' || c.name from orders_of(c.id) f (id, total) where f.total > {n}",
        "select sum(e.amount)::int, max(e.kind) from events e where e.at < c.id * {n}",
    ]);
    let side = side.replace("{n}", &n.to_string());
    let join = g.pick(&["join", "left join"]);
    format!("select s.a, s.b{third} from customers c {join} lateral ({side}) s (a, b) on true where {filter}")
}

/// What fails on the rows of strangers, or tells of them, were it to see them.
fn leaky(g: &mut Generator) -> String {
    let (k, n) = (g.int(0, 50), g.int(1, 9));
    match g.int(0, 13) {
        0 => format!("select id, raw from facts where raw::int > {k}"),
        1 => format!("select id from facts where 100 / n > {n}"),
        2 => "select id, raw from facts where peek(raw)".into(),
        3 => format!("select c.name from facts f join customers c on c.id = f.raw::int where 7 % f.n < {n}"),
        4 => format!("select count(*) from facts where raw ~ '^\\d+$' and sqrt((raw::int + {k})::float) >= 0"),
        5 => "select id, email from customers where peek(email)".into(),
        6 => format!("select count(*) from facts f where exists (select from visits v where v.id = f.raw::int % {n})"),
        7 => format!("select label from machines where power > {k} and label::text <> '' and 90 / (power + 1) >= 0"),
        8 => "select page from visits where peek(page)".into(),
        9 => format!("select max(raw::int / n) from facts having max(raw::int) > {}", k - 50),
        10 => "select tablename, attname, most_common_vals::text from pg_stats where schemaname = 'public'
                and tablename in ('customers', 'orders', 'facts', 'machines', 'ledger')"
            .into(),
        11 => format!("select id, total from cheap where total / {n} > 1"),
        _ => "select kind from events where peek(kind)".into(),
    }
}

fn called(g: &mut Generator) -> String {
    let (id, n) = (g.id(), g.id());
    match g.int(0, 8) {
        0 => format!("select total_of({id}), describe({n})"),
        1 => format!("select id, total_of(id), describe(id) from customers where id < {id}"),
        2 => "select counted(), tenant.current_id(), tenant.current_uuid(), tenant.current_bigint()".into(),
        3 => format!("select * from orders_of({id})"),
        4 => format!("select id from customers where id = {id} for update"),
        5 => format!(
            "select o.id, c.id from orders o join customers c on c.id = o.customer_id where o.id < {n} for share of o"
        ),
        6 => format!(
            "do $$ declare o record; s bigint := 0; begin
                for o in select id, total from orders where id < {n} order by id loop
                    s := s + o.total;
                    begin
                        if o.id % 5 = 0 then perform 1 / (o.id % 5); end if;
                    exception when division_by_zero then raise notice 'order % of %', o.id, s;
                    end;
                end loop;
                raise notice 'total %', s;
             end $$"
        ),
        _ => format!(
            "do $$ begin raise notice '% %', (select count(*) from customers where id < {id}), counted(); end $$"
        ),
    }
}
