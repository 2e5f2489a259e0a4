//! Where an attacker's conditions can stand. The first column of what comes back says whose the row is, as text.

use crate::generator::Generator;
use crate::vaults::Vault;
use crate::vocabulary::{Family, conditions, counted, of_tenant, stable, stranger, value};

/// A statement of any kind.
pub fn any(g: &mut Generator, vault: Vault, family: Family) -> String {
    match family {
        Family::Blind if vault.writable => blind(g, vault.name),
        _ if vault.writable && g.one_in(3) => write(g, vault, family),
        _ => select(g, vault, family),
    }
}

/// A query.
pub fn select(g: &mut Generator, vault: Vault, family: Family) -> String {
    let (c, name, cast) = (conditions(g, "v", vault, family), vault.name, vault.cast);
    let c = if vault.writable { c } else { c.replace("v.ctid", "'(0,1)'::tid") };
    let (own, other, n) = (g.lane.tenant, stranger(g), g.int(0, 45));
    let apart = c.replace("v.ctid", "'(0,1)'::tid");
    let outputs = "v.tenant_id::text, v.id::text, v.email";
    let join = g.pick(&[
        "v.tenant_id = w.tenant_id and v.id = w.id",
        "v.note = w.tenant_id and v.id = w.id",
        "v.id = w.id",
        "v.rank = w.amount and v.tenant_id = w.note",
        "v.tenant_id in (w.note, w.kind) and v.id = w.id",
    ]);
    match g.int(0, 24) {
        0 => format!("select v.tenant_id::text, count(*)::text, max(v.email) from {name} v where {c} group by 1"),
        1 => {
            let (hint, more) = (g.pick(&["", "materialized", "not materialized"]), conditions(g, "x", vault, family));
            let more = more.replace("x.ctid", "'(0,1)'::tid");
            format!(
                "with x as {hint} (select * from {name} v where {c}) select x.tenant_id::text, x.id::text from x where {more}"
            )
        }
        2 => {
            let more = conditions(g, "v", vault, family);
            let more = if vault.writable { more } else { more.replace("v.ctid", "'(0,1)'::tid") };
            format!("select {outputs} from {name} v where {c} union all select {outputs} from {name} v where {more}")
        }
        3 | 4 => {
            format!(
                "select w.tenant_id::text, v.id::text, w.id::text from {name} v join {name} w on {join} where {apart}"
            )
        }
        5 => format!(
            "select s.tenant_id::text, s.id::text from (values ('{own}'), ('{other}')) t (x)
                cross join lateral (select * from {name} v where v.tenant_id = t.x{cast} and {c}) s"
        ),
        6 => format!("select {outputs} from {name} v where exists (select from {name} w where {join}) and {apart}"),
        7 => {
            let inner = conditions(g, "w", vault, family);
            format!(
                "select {outputs} from {name} v where v.tenant_id in (select w.note from {name} w where {inner}) and {c}"
            )
        }
        8 if vault.writable => {
            let method = g.pick(&["system", "bernoulli"]);
            format!("select {outputs} from {name} v tablesample {method} (100) where {c}")
        }
        18 => format!("select {outputs} from {name} v where {c} order by v.rank, v.tenant_id limit {}", 1 + n % 9),
        9 => format!(
            "select {outputs} from {name} v where {c} order by v.area <-> {} limit 3",
            stable(g, "spot", &n.to_string())
        ),
        10 if vault.writable => format!("select {outputs} from {name} v where {c} for update"),
        11 if cast.is_empty() => format!("select {outputs} from of_tenant({}) v where {c}", value(g, vault)),
        12 => format!("select {outputs} from {name} v where ({c}) is true"),
        13 => format!("select {outputs} from {name} v where ({c} or v.amount < 0)"),
        14 => format!(
            "select t.x as tenant_id, (select count(*)::text from {name} v where v.tenant_id = t.x{cast} and {c})
                from (values ('{own}'), ('{other}')) t (x)"
        ),
        15 => format!(
            "select {outputs} from (values ('secret'), ('c{n}')) s (x) join {name} v on v.email = mail(s.x || '@example.org', 'evil.n') and {c}"
        ),
        16 => {
            let first = of_tenant(g, "v", vault);
            format!(
                "select {outputs} from (select * from {name} v where {first} offset 0) v where {}",
                c.replace("v.ctid", "'(0,1)'::tid")
            )
        }
        _ => format!("select {outputs} from {name} v where {c}"),
    }
}

/// A change, by what it finds.
fn write(g: &mut Generator, vault: Vault, family: Family) -> String {
    let (c, name, cast) = (conditions(g, "v", vault, family), vault.name, vault.cast);
    let (own, n) = (g.lane.tenant, g.int(1, 40));
    match g.int(0, 10) {
        0 | 1 => format!("update {name} v set amount = v.amount + 1 where {c} returning v.tenant_id::text, v.id::text"),
        2 | 3 => format!(
            "update {name} v set tenant_id = '{own}'{cast}, id = v.id + 100000 where {c} 
             returning case when v.amount < 500 then '{own}' else 'another' end, v.id::text"
        ),
        4 => format!("delete from {name} v where {c} returning v.tenant_id::text, v.id::text"),
        5 => format!("delete from {name} v where {c}"),
        6 => format!(
            "delete from {name} v using {name} w where v.note = w.tenant_id and {c} returning w.tenant_id::text, w.id::text"
        ),
        7 => {
            let taken = conditions(g, "t", vault, family);
            format!(
                "insert into {name} as t (tenant_id, id, note, amount, rank)
                    select v.tenant_id, v.id, v.note, v.amount, v.rank from {name} v where {c}
                 on conflict (tenant_id, id, rank) do update set amount = excluded.amount where {taken}
                 returning t.tenant_id::text, t.id::text"
            )
        }
        _ => {
            let matched = g.pick(&["update set amount = 0", "delete", "do nothing"]);
            let unmatched = g.pick(&["insert (id, rank) values (s.x + 5000, 1)", "do nothing"]);
            let returning = if g.major >= 17 { " returning v.tenant_id::text, v.id::text" } else { "" };
            format!(
                "merge into {name} v using (values ({n}), ({n} + 1)) s (x) on v.id = s.x and {c}
                 when matched then {matched} when not matched then {unmatched}{returning}"
            )
        }
    }
}

/// A change that reads no column of its target.
fn blind(g: &mut Generator, name: &str) -> String {
    let (call, n) = (counted(g), g.int(0, 3));
    let on = match g.int(0, 7) {
        0 | 1 => "true".into(),
        2 | 3 => call.to_owned(),
        4 => "s.x > 7000".into(),
        5 => format!("{call} and s.x > 0"),
        _ => format!("current_setting('evil.t') <> '' and {call}"),
    };
    let then = g.pick(&[
        "when not matched then insert (id, rank) values (s.x, 1)",
        "when not matched and s.x > 7000 then insert (id, rank) values (s.x, 1)",
        "when not matched then do nothing",
        "when matched then do nothing when not matched then insert (id, rank) values (s.x, 1)",
    ]);
    match n + g.int(0, 5) {
        0 => format!("update {name} v set amount = 1 where {call}"),
        1 => format!("delete from {name} v where {call}"),
        _ => format!("merge into {name} v using (values (7000), (7001)) s (x) on {on} {then}"),
    }
}
