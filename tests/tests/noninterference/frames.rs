//! What stands around statements: begin and enter, settings of the planner, savepoints, PREPARE, commit.

use crate::generator::{Generator, Statement};
use crate::world::FROZEN;
use crate::{attacks, reads};

/// How plans are made to differ. Each `{}` is one of the values.
const PLANNER: &[(&str, &[&str])] = &[
    ("enable_seqscan", &["off"]),
    ("enable_indexscan", &["off"]),
    ("enable_bitmapscan", &["off"]),
    ("enable_hashjoin", &["off"]),
    ("enable_mergejoin", &["off"]),
    ("enable_nestloop", &["off"]),
    ("enable_material", &["off"]),
    ("enable_hashagg", &["off"]),
    ("enable_partition_pruning", &["off"]),
    ("enable_partitionwise_join", &["on"]),
    ("plan_cache_mode", &["force_generic_plan", "force_custom_plan"]),
    ("work_mem", &["64kB", "8MB"]),
    ("join_collapse_limit", &["1"]),
    ("random_page_cost", &["0.1", "40"]),
];

/// Begin, and enter: seldom no tenant, an unknown one or one that is suspended.
pub fn begin(g: &mut Generator, program: &mut Vec<Statement>) {
    let isolation = g.pick(&["", "", " isolation level repeatable read", " read only"]);
    let isolation = if isolation == " read only" && !g.one_in(8) { "" } else { isolation };
    if g.prepared.len() < 12 && g.one_in(3) {
        prepare(g, program);
    } else if g.prepared.len() > 4 && g.one_in(30) {
        let name = g.prepared.remove(0);
        program.push(Statement::of(format!("deallocate {name}")));
    }
    if !g.families.is_empty() && g.one_in(6) {
        attacks::plot(g, program);
    }
    program.push(Statement::frame(&format!("begin{isolation}")));
    for _ in 0..g.int(0, 3) {
        let (name, values) = g.pick(PLANNER);
        program.push(Statement::frame(&format!("set local {name} = '{}'", g.pick(values))));
    }
    if g.one_in(6) {
        parallel(g, program);
    }
    let enter = |tenant: &str| Statement::frame(&format!("select tenant.enter('{tenant}')"));
    let way = g.int(0, 60);
    g.inside = way != 0;
    match way {
        0 => return, // none; a bound role is inside all the same
        1 => {
            let tenant = g.pick(&["nobody", FROZEN, "not an id"]);
            program.extend([Statement::frame("savepoint early"), enter(tenant)]);
            program.push(Statement::frame("rollback to early"));
        }
        _ => {}
    }
    let tenant = g.lane.tenant;
    program.push(enter(tenant));
}

fn parallel(g: &mut Generator, program: &mut Vec<Statement>) {
    let forced = if g.major < 16 { "force_parallel_mode" } else { "debug_parallel_query" };
    let settings = match g.int(0, 3) {
        0 => format!("set local {forced} = 'regress'"),
        1 => "set local parallel_leader_participation = off; set local parallel_setup_cost = 0; \
              set local parallel_tuple_cost = 0; set local min_parallel_table_scan_size = 0"
            .into(),
        _ => "set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; \
              set local min_parallel_table_scan_size = 0; set local min_parallel_index_scan_size = 0"
            .into(),
    };
    program.push(Statement::frame(&settings));
}

/// Commit or roll back; then now and then a statement with no tenant.
pub fn end(g: &mut Generator, program: &mut Vec<Statement>) {
    program.push(Statement::frame(g.pick(&["commit", "rollback", "rollback"])));
    if g.one_in(8) {
        program.push(reads::read(g));
    }
}

/// A savepoint with statements in it, released or rolled back to.
pub fn savepoints(g: &mut Generator, program: &mut Vec<Statement>) {
    let name = g.name("s");
    program.push(Statement::frame(&format!("savepoint {name}")));
    for _ in 0..g.int(1, 4) {
        program.push(if g.one_in(2) { reads::read(g) } else { crate::writes::write(g) });
    }
    let end = g.pick(&["release", "rollback to"]);
    program.push(Statement::frame(&format!("{end} {name}")));
}

const QUERIES: &[&str] = &[
    "select id, total, note from orders where customer_id = $1",
    "select count(*), sum(balance) from customers where balance > $1",
    "select f.id from facts f where f.raw::int > $1 and 100 / f.n >= 0",
    "select c.name, total_of(c.id) from customers c where c.id < $1",
    "select e.kind, count(*) from events e where e.at < $1 group by e.kind",
    "update visits set seconds = (seconds + $1) % 900 where id < $1 returning id, seconds",
    "select m.label, r.arms from machines m left join robots r on r.label = m.label where m.power > $1",
    "select name, age from people where age > $1",
    "select p.name, o.total from orders o join people p on p.age = o.id where o.id < $1",
    "insert into robots (id, label, power, arms) values (3000 + $1, 'p', 1, 1) on conflict do nothing returning id",
];

/// PREPARE, with no tenant: the statement is for the session's later transactions.
pub fn prepare(g: &mut Generator, program: &mut Vec<Statement>) {
    let (name, query) = (g.name("p"), g.pick(QUERIES));
    program.push(Statement::of(format!("prepare {name} (int) as {query}")));
    g.prepared.push(name);
}

/// EXECUTE of what was prepared in any transaction, again and again.
pub fn execute(g: &mut Generator, program: &mut Vec<Statement>) {
    if g.prepared.is_empty() {
        return;
    }
    let at = g.int(0, g.prepared.len() as i32) as usize;
    let name = g.prepared[at].clone();
    for _ in 0..g.int(1, 5) {
        let value = g.int(1, 60);
        program.push(Statement::of(format!("execute {name}({value})")));
    }
}
