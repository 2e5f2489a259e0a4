//! An attacker's words: conditions on the tenant column, values that change, calls that count themselves, and what the
//! planner may put in front.

use crate::generator::Generator;
use crate::vaults::{SAFES, TILLS, VAULTS, Vault};

/// What an attack lives on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// The planner takes the policy's equality for implied by one of the statement's own.
    Classes,
    /// Conditions run before the policy's.
    Order,
    /// Rows are reached without being read.
    Blind,
    /// Expressions run beside the filter of a scan.
    Rechecks,
}

pub const FAMILIES: &[Family] = &[Family::Classes, Family::Order, Family::Blind, Family::Rechecks];

impl Family {
    /// One alone.
    pub fn named(name: &str) -> &'static [Family] {
        match name {
            "classes" => &FAMILIES[..1],
            "order" => &FAMILIES[1..2],
            "blind" => &FAMILIES[2..3],
            "rechecks" => &FAMILIES[3..],
            _ => panic!("no family is named {name:?}"),
        }
    }
}

/// What is attacked, by the name `v` or another.
pub fn vault(g: &mut Generator) -> Vault {
    match g.int(0, 12) {
        0 | 1 => [TILLS, SAFES][usize::from(g.lane.uuid)],
        2..6 => VAULTS[0],
        _ => g.pick(VAULTS),
    }
}

/// A tenant of the same kind that this one is not.
pub fn stranger(g: &mut Generator) -> &'static str {
    let all: &[&str] = if g.lane.uuid {
        &["00000000-0000-4000-8000-000000000009", "aaaaaaaa-0000-4000-8000-00000000000c"]
    } else {
        &["2001", "2001", "2003", "1003"]
    };
    loop {
        let one = g.pick(all);
        if one != g.lane.tenant {
            return one;
        }
    }
}

/// This tenant or another.
pub fn anybody(g: &mut Generator) -> &'static str {
    if g.one_in(2) { g.lane.tenant } else { stranger(g) }
}

fn lie(g: &mut Generator, honest: &str, other: &str, times: i32) -> String {
    if g.one_in(2) {
        format!("lie('{honest}', '{other}', {times})")
    } else {
        format!("lie((select '{honest}'), '{other}', {times})")
    }
}

/// A call of what is said to be stable and counts itself: the planner knows what is asked, or does not.
pub fn stable(g: &mut Generator, function: &str, value: &str) -> String {
    if g.one_in(2) {
        format!("{function}({value}, 'evil.m')")
    } else {
        format!("{function}((select {value}), 'evil.n')")
    }
}

/// What the tenant column is compared with; `parameter` where there may be one.
pub fn value(g: &mut Generator, vault: Vault) -> String {
    let (own, other, n) = (g.lane.tenant, stranger(g), g.int(0, 30));
    let text = match g.int(0, 17) {
        0..3 if g.parameter => "$1::text".into(),
        0 | 1 => format!("'{own}'"),
        2 => format!("'{other}'"),
        3..6 => "current_setting('evil.t')".into(),
        6 => lie(g, own, other, n),
        7 => lie(g, other, own, n),
        8 => format!("slow('{own}')"),
        9 => "slow(current_setting('evil.t', true))".into(),
        10 => "(select current_setting('evil.t'))".into(),
        11 => format!("(select {})", lie(g, own, other, n)),
        12 => format!("coalesce(current_setting('evil.t', true), '{own}')"),
        13 => "tenant.current_id()".into(),
        14 => format!("case when tock() then '{own}' else '{other}' end"),
        _ => "current_setting('evil.t', true)".into(),
    };
    if vault.cast.is_empty() { text } else { format!("({text}){}", vault.cast) }
}

/// A condition on the tenant column.
pub fn of_tenant(g: &mut Generator, v: &str, vault: Vault) -> String {
    let (a, b, cast) = (value(g, vault), value(g, vault), vault.cast);
    let (amount, text) = (g.int(0, 130), cast.is_empty());
    match g.int(0, 22) {
        0 => format!("{v}.tenant_id in ({a}, {b})"),
        1 => format!("{v}.tenant_id = any (array[{a}, {b}])"),
        2 => format!("{v}.tenant_id >= {a} and {v}.tenant_id <= {b}"),
        3 => format!("({v}.tenant_id = {a} or {v}.amount > {amount})"),
        4 => format!("({v}.tenant_id = {a} or {v}.tenant_id = {b})"),
        5 => format!("case {v}.tenant_id when {a} then true else {v}.tenant_id = {b} end"),
        6 => format!("{v}.tenant_id is not distinct from {a}"),
        7 => format!("({v}.tenant_id, {v}.id) = ({a}, {amount})"),
        8 => format!("({v}.tenant_id, {v}.id) >= ({a}, {})", amount % 20),
        9 => format!("{v}.tenant_id in (select {a})"),
        // Whose note can be cast: whether it is asked for at all is the plan's to say.
        10 => {
            let id = if cast == "::uuid" { 1 } else { 5 };
            format!("{v}.tenant_id = (select w.note from vaults w where w.id = {id} limit 1){cast}")
        }
        11 => format!("not ({v}.tenant_id <> {a})"),
        12 if text => format!("{v}.tenant_id == {a}"),
        13 if text => format!("{v}.tenant_id like {a}"),
        14 => format!("exists (select where {v}.tenant_id = {a})"),
        _ => format!("{v}.tenant_id = {a}"),
    }
}

/// What looks like the policy's own condition.
pub fn alike(g: &mut Generator, v: &str, vault: Vault) -> String {
    let current = match vault.cast {
        "" => "tenant.current_id()",
        "::uuid" => "tenant.current_uuid()",
        _ => "tenant.current_bigint()",
    };
    let column = g.pick(&["note", "kind"]);
    match g.int(0, if vault.cast.is_empty() { 9 } else { 7 }) {
        0 => format!("{v}.{column} = {v}.tenant_id"),
        1 => format!("{v}.{column} = {current}"),
        2 => format!("{v}.note = {v}.kind and {v}.kind = {v}.tenant_id"),
        3 => format!("{v}.tenant_id = {current}"),
        4 => format!("{v}.note = {v}.tenant_id and {v}.note = {}", value(g, vault)),
        5 => format!("tenant.is_current({v}.{column})"),
        6 => format!("tenant.is_current({v}.{column}) and {v}.{column} = {v}.tenant_id"),
        7 => format!("{v}.{column} == {current}"),
        _ => format!("{v}.{column} == {v}.tenant_id"),
    }
}

/// Changes what the next row is compared with.
pub fn changing(g: &mut Generator, v: &str) -> String {
    let (to, own, other, local) = (anybody(g), g.lane.tenant, stranger(g), g.pick(&["true", "true", "false"]));
    match g.int(0, 8) {
        0 => format!("(select set_config('evil.t', '{to}', {local})) is not null"),
        // After what costs less and is asked once as well.
        3 => format!("sha512(sha512(sha512((select set_config('evil.t', '{to}', {local}))::bytea))) is not null"),
        4 => format!("{}(select set_config('evil.t', '{to}', {local})){} <> ''", "md5(".repeat(9), ")".repeat(9)),
        1 => format!(
            "set_config('evil.t', case current_setting('evil.t') when '{own}' then '{other}' else '{own}' end, {local}) <> ''"
        ),
        2 => format!("set_config('evil.t', {v}.tenant_id::text, {local}) is not null"),
        _ => format!("set_config('evil.t', '{to}', {local}) is not null"),
    }
}

/// A call that counts itself.
pub fn counted(g: &mut Generator) -> &'static str {
    g.pick(&[
        "tick()",
        "tick()",
        "tock()",
        "tock()",
        "toll()",
        "(tick() or tock())",
        "(select tick())",
        "random() < counts()::int",
    ])
}

/// A condition that PostgreSQL may ask before the policy's: many hidden rows meet it, or none of one's own.
pub fn leakproof(g: &mut Generator, v: &str, vault: Vault) -> String {
    let n = g.int(1, 45);
    match g.int(0, 12) {
        0 | 1 => format!("{v}.email = 'secret@example.org'"),
        2 => format!("{v}.email = 'c{n}@example.org'"),
        3 => format!("{v}.amount > {}", g.pick(&[0, 60, 200, 520])),
        4 => format!("{v}.rank between {n} and {}", n * 30),
        5 => format!("{v}.id = {n}"),
        6 => format!("{v}.ctid = '(0,{n})'"),
        7 => format!("{v}.ctid < '(2,{n})'"),
        8 => format!("{v}.note is null"),
        9 => format!("{v}.note = '{}'", anybody(g)),
        10 => alike(g, v, vault),
        _ => format!("{v}.amount in (501, 502, {n})"),
    }
}

/// A condition for an index, with a call in it.
pub fn called(g: &mut Generator, v: &str) -> String {
    let (n, word) = (g.int(1, 45), g.pick(&["'secret'", "'tag 2'", "'none'"]));
    let mail = g.pick(&["'secret@example.org'", "'nobody@example.org'", "'c7@example.org'"]);
    let (amount, high, rank) = (g.pick(&[n, 510, 777]), g.pick(&[n, 520]), g.pick(&[n, 50]));
    let at = g.pick(&[300, -n, 777]);
    let mut call = |function, value: &str| stable(g, function, value);
    let (text, point) = (call("mail", mail), call("spot", &at.to_string()));
    let tid = call("place", &format!("'(0,{n})'::tid"));
    match n % 11 {
        0..3 => format!("{v}.email = {text}"),
        3 => format!("{v}.amount = {}", call("num", &amount.to_string())),
        4 => format!("{v}.amount between {} and {}", call("num", &n.to_string()), call("num", &high.to_string())),
        5 => format!("{v}.rank = {}", call("num", &n.to_string())),
        6 => format!("{v}.rank > {}", call("num", &rank.to_string())),
        7 => format!("{v}.area && polygon(circle({point}, 20))"),
        8 => format!("{v}.tags @> array[{}]", call("mail", word)),
        9 => format!("{v}.ctid = {tid}"),
        _ => format!("{v}.ctid = any (array[{tid}, '(1,{n})'])"),
    }
}

/// One to four conditions, in any order.
pub fn conditions(g: &mut Generator, v: &str, vault: Vault, family: Family) -> String {
    let mut all = match family {
        Family::Classes => vec![of_tenant(g, v, vault)],
        Family::Order if g.one_in(3) => vec![alike(g, v, vault), counted(g).into()],
        Family::Order => vec![of_tenant(g, v, vault), counted(g).into()],
        Family::Blind => vec![counted(g).into()],
        Family::Rechecks => vec![called(g, v)],
    };
    for _ in 0..g.int(0, 4) {
        all.push(match g.int(0, 10) {
            0..3 => leakproof(g, v, vault),
            3..6 if g.families.contains(&Family::Classes) => changing(g, v),
            6 if g.families.contains(&Family::Classes) => of_tenant(g, v, vault),
            7 if g.families.contains(&Family::Order) => counted(g).into(),
            8 if g.families.contains(&Family::Rechecks) => called(g, v),
            9 => format!("caught({v}.tenant_id::text, {v}.email)"),
            _ => continue,
        });
    }
    let at = g.int(0, all.len() as i32) as usize;
    all.rotate_left(at);
    all.join(" and ")
}
