//! Statements of an attacker, and what stands around them: forced plans, counters that are read afterwards, PREPARE,
//! cursors. All of it is rolled back.

use crate::generator::{Generator, Seen, Statement};
use crate::shapes;
use crate::vocabulary::{self, Family};

/// The only ways of a scan that the planner is left with.
const SCANS: &[&[&str]] = &[
    &[],
    &["enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_tidscan"],
    &["enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_tidscan"],
    &["enable_seqscan", "enable_bitmapscan"],
    &["enable_seqscan", "enable_indexscan", "enable_indexonlyscan"],
];

/// Other things that change plans.
const OTHERS: &[&str] = &[
    "plan_cache_mode = force_generic_plan",
    "plan_cache_mode = force_custom_plan",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_nestloop = off",
    "enable_memoize = off",
    "enable_partition_pruning = off",
    "enable_partitionwise_join = on",
    "enable_partitionwise_aggregate = on",
    "enable_sort = off",
    "enable_material = off",
    "work_mem = '64kB'",
    "random_page_cost = 0.1",
    "from_collapse_limit = 1",
];

/// One attack, from a savepoint to its end.
pub fn attack(g: &mut Generator, program: &mut Vec<Statement>) {
    let family = g.pick(g.families);
    program.push(Statement::frame("savepoint attack"));
    settings(g, program);
    match g.int(0, 12) {
        0 | 1 => prepared(g, program, family),
        2 => kept(g, program, family),
        3 | 4 if family != Family::Blind => cursor(g, program, family),
        5 if family != Family::Blind => at_once(g, program, family),
        _ => plainly(g, program, family),
    }
    program.push(Statement::frame("rollback to attack"));
    if let Some(name) = g.to_forget.take() {
        program.push(Statement::frame(&format!("deallocate {name}")));
    }
}

fn settings(g: &mut Generator, program: &mut Vec<Statement>) {
    let mut all: Vec<_> = g.pick(SCANS).iter().map(|way| format!("set local {way} = off")).collect();
    for _ in 0..g.int(0, 3) {
        all.push(format!("set local {}", g.pick(OTHERS)));
    }
    if !all.is_empty() {
        program.push(Statement::frame(&all.join("; ")));
    }
}

/// What the tenant column will be compared with, and counters at zero.
fn reset(g: &mut Generator) -> Statement {
    let tenant = vocabulary::anybody(g);
    Statement::frame(&format!(
        "set local evil.t = '{tenant}'; set local evil.n = '0'; set local evil.m = '0'; set local evil.l = '0'"
    ))
}

fn counters() -> Statement {
    let sql = "select current_setting('evil.m') as m, current_setting('evil.n') as n, current_setting('evil.l') as l,
        current_setting('evil.t') as t";
    Statement { seen: Seen::Count, frame: true, ..Statement::of(sql.into()) }
}

fn explained(sql: &str) -> Statement {
    Statement { seen: Seen::Plan, ordered: true, ..Statement::frame(&format!("explain (costs off) {sql}")) }
}

fn probe(sql: String) -> Statement {
    Statement { seen: Seen::Probe, ..Statement::of(sql) }
}

/// How many rows of its own the tenant has afterwards.
fn left(table: &str) -> Statement {
    Statement { seen: Seen::Count, frame: true, ..Statement::of(format!("select count(*) from {table}")) }
}

fn plainly(g: &mut Generator, program: &mut Vec<Statement>, family: Family) {
    let vault = vocabulary::vault(g);
    if family == Family::Blind && g.one_in(2) && vault.writable {
        program.push(Statement::frame(&format!("delete from {}", vault.name)));
    }
    let (reset, sql) = (reset(g), shapes::any(g, vault, family));
    program.extend([reset.clone(), explained(&sql), reset]);
    let reads = sql.starts_with("select") || sql.starts_with("with");
    let sql = match g.int(0, 20) {
        0 if reads => format!("copy ({sql}) to stdout"),
        1 if reads => format!(
            "do $$ declare r record; begin for r in {sql} loop perform caught(r.tenant_id, 'a row'); end loop; end $$"
        ),
        _ => sql,
    };
    program.extend([probe(sql), counters()]);
    if !reads {
        program.push(left(vault.name));
    }
}

/// PREPARE and EXECUTE with this tenant and others.
fn prepared(g: &mut Generator, program: &mut Vec<Statement>, family: Family) {
    let name = g.name("a");
    let sql = prepare(g, &name, family);
    program.push(Statement::frame(&sql));
    execute(g, program, &(name.clone(), sql));
    g.to_forget = Some(name);
}

/// What was prepared with no tenant, in the session's earlier life.
fn kept(g: &mut Generator, program: &mut Vec<Statement>, family: Family) {
    match g.plots.len() {
        0 => plainly(g, program, family),
        n => {
            let at = g.int(0, n as i32) as usize;
            let plot = g.plots[at].clone();
            execute(g, program, &plot);
        }
    }
}

/// For later: outside of a transaction.
pub fn plot(g: &mut Generator, program: &mut Vec<Statement>) {
    if g.plots.len() > 8 {
        let (name, _) = g.plots.remove(0);
        program.push(Statement::frame(&format!("deallocate {name}")));
    }
    let (name, family) = (g.name("a"), g.pick(g.families));
    let sql = prepare(g, &name, family);
    program.push(Statement::frame(&sql));
    g.plots.push((name, sql));
}

fn prepare(g: &mut Generator, name: &str, family: Family) -> String {
    let vault = vocabulary::vault(g);
    g.parameter = true;
    let sql = shapes::any(g, vault, family);
    g.parameter = false;
    format!("prepare {name} (text) as {sql}")
}

fn execute(g: &mut Generator, program: &mut Vec<Statement>, (name, prepare): &(String, String)) {
    let mode = g.pick(&["auto", "force_generic_plan", "force_custom_plan"]);
    program.push(Statement::frame(&format!("set local plan_cache_mode = {mode}")));
    for _ in 0..g.int(1, 4) {
        program.push(Statement::frame("savepoint once"));
        let (reset, sql) = (reset(g), format!("execute {name}('{}') /* {prepare} */", vocabulary::anybody(g)));
        if mode == "auto" {
            // The costs of the plans before decide, and so other tenants' rows.
            program.extend([reset, Statement { seen: Seen::Loose, ..Statement::of(sql) }, counters()]);
        } else {
            program.extend([reset.clone(), explained(&sql), reset, probe(sql), counters()]);
        }
        program.push(Statement::frame("rollback to once"));
    }
}

/// The values change between two FETCHes.
fn cursor(g: &mut Generator, program: &mut Vec<Statement>, family: Family) {
    let (vault, name) = (vocabulary::vault(g), g.name("c"));
    let (reset, sql) = (reset(g), shapes::select(g, vault, family));
    let declare = format!("declare {name} cursor for {sql}");
    program.extend([reset.clone(), explained(&declare), reset, Statement::frame(&declare)]);
    for _ in 0..g.int(1, 4) {
        program.push(probe(format!("fetch {} from {name}", g.pick(&["1", "3", "10", "all"]))));
        let (tenant, local) = (vocabulary::anybody(g), g.pick(&["", "local "]));
        program.push(Statement::frame(&format!("set {local}evil.t = '{tenant}'")));
    }
    program.extend([probe(format!("fetch all from {name}")), counters()]);
}

/// By the extended protocol, with one value after the other.
fn at_once(g: &mut Generator, program: &mut Vec<Statement>, family: Family) {
    let (reset, vault) = (reset(g), vocabulary::vault(g));
    g.parameter = true;
    let sql = shapes::select(g, vault, family);
    g.parameter = false;
    let params = (0..g.int(1, 8)).map(|_| vocabulary::anybody(g)).collect();
    program.extend([reset, Statement { params, seen: Seen::Loose, ..Statement::of(sql) }, counters()]);
}
