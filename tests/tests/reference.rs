//! The SQL reference (`pg_tenant/README.md`) says something that is not so, or is silent on something that is there: its
//! SQL is run, and every function, view, setting and SQLSTATE has its heading or row, in one order.

#[path = "reference/order.rs"]
mod order;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use pg_tenant_core::Refusal;
use pg_tenant_tests::{Cluster, Install, Session, database, describe};

const README: &str = include_str!("../../pg_tenant/README.md");

/// Parts of what the reference describes, which nobody calls by themselves.
const INTERNAL: &[&str] = &[
    "announce_change",           // trigger of tenants
    "apply_hardening",           // protect with harden
    "apply_protection",          // protect, with the guards off
    "attack",                    // prove
    "attack_index",              // prove
    "attack_planned",            // prove
    "attack_prepared",           // prove
    "attack_view",               // prove
    "attack_through",            // prove
    "attack_copy",               // prove
    "bypassing",                 // prove
    "run_as",                    // prove
    "run_past_policies",         // prove
    "before_protection",         // unprotect
    "apply_membership",          // protect_by_membership, with the guards off
    "fence_members",             // protect_by_membership, one table of a hierarchy
    "keep_members",              // protect_by_membership, unprotect: triggers of the join table
    "member_triggers",           // likewise
    "missing_member_triggers",   // likewise, and the doctor
    "membership_columns",        // protect_by_membership
    "membership_key",            // protected_tables, protect_by_membership
    "membership_member",         // protected_tables, protect_by_membership
    "membership_through",        // protected_tables, protect_by_membership
    "membership_type",           // protect_by_membership
    "reached_through",           // protect_by_membership, unprotect
    "refuse_member",             // trigger of join tables
    "require_membership",        // protect_by_membership
    "trigger_text",              // missing_member_triggers
    "channel_changed",           // trigger of channels
    "column_list",               // hardening
    "constraint_with_tenant",    // hardening
    "count_across",              // protect with harden, where TN087 says how many
    "fence",                     // protect, one table of a hierarchy
    "fence_column",              // protected_tables, protect
    "fence_hierarchy",           // protect, pg_tenant.new_tables
    "fence_policy",              // protected_tables, protect
    "unfence_remains",           // unprotect
    "is_root",                   // protect, of the table of the tenants
    "require_create",            // protect
    "said_of_open_table",        // protect_schema
    "forget_dropped",            // share, protect_schema
    "former_column",             // protect, upgrade_fences, the doctor
    "former_tables",             // upgrade_fences
    "hierarchy",                 // protect, unprotect
    "is_current_support",        // the planner asks it
    "journal_creation",          // triggers of tenants
    "journal_created",           // called by it
    "journal_tenants",           // likewise
    "registry_epoch",            // invalidated in place of tenants
    "journal_system",            // enter_system
    "journal_system_as_owner",   // enter_system_as_owner
    "count_lock",                // advisory_lock, try_advisory_lock
    "lock_key",                  // advisory_lock, try_advisory_lock, notify
    "protect_listed",            // protect_schema
    "count_lookup",              // lookup
    "lookup_ended",              // lookup, the doctor
    "lookup_obstacle",           // allow_lookup, lookup
    "lookup_operator",           // lookup
    "lookup_row",                // allow_lookup, lookup
    "number_lookup",             // trigger of lookups
    "refuse_lookup",             // lookup
    "run_lookup",                // lookup
    "harden_listed",             // protect_schema
    "column_of",                 // protect_schema
    "require_columns",           // protect_schema
    "require_tables",            // protect_schema
    "has_shared_rows",           // protected_tables, protect
    "policy_form",               // protect, unprotect
    "will_share_rows",           // protect
    "require_shareable",         // protect with shared_rows
    "refuse_publishing_keys",    // likewise
    "foresee_protection",        // protect_schema with dry_run
    "is_of_all",                 // protect_schema
    "warn_of_left",              // protect_schema
    "fence_steps",               // protect, one table of a hierarchy
    "require_step",              // protect
    "require_table",             // protect, protect_by_membership
    "require_protectable",       // protect
    "refuse_nulls",              // protect
    "protect_step",              // protect_schema_stepwise
    "protect_newcomer",          // pg_tenant.new_tables
    "is_shown",                  // scans of catalogs
    "hidden",                    // plans, in the place of functions that tell
    "hidden_set",                // likewise
    "own_row",                   // plans of on conflict
    "index_with_tenant",         // hardening
    "is_prepared",               // hardening
    "is_referable",              // hardening
    "surrogate_kind",            // hardening, the doctor
    "change_of_key",             // hardening
    "keep_tenant",               // triggers of tenants
    "obstacle_of_key",           // hardening
    "key_column",                // hardening
    "keys_without_tenant",       // hardening
    "match_full_check",          // hardening
    "name_beside",               // hardening
    "plan_hardening",            // hardening, protect with harden
    "plant",                     // prove
    "provable",                  // prove
    "prove_member_mutation",     // prove
    "prove_members",             // prove
    "prove_mutation",            // prove
    "prove_indexes",             // prove
    "prove_plans",               // prove
    "prove_table",               // prove
    "reach_of",                  // bind_role
    "reader_for",                // protect
    "obstacle_of_reference",     // hardening
    "reference_with_tenant",     // hardening
    "references_across",         // protect with harden, the query of TN087
    "refuse_materialized_views", // protect
    "refuse_truncate",           // trigger that the doctor's T114 makes
    "registry_changed",          // trigger of tenants
    "remove_protection",         // unprotect, with the guards off
    "require_known",             // suspend, resume, set_limits, bind_role
    "require_one_owner",         // protect
    "run_as_owner",              // protect, unprotect, prove
    "run_validation",            // protect with harden
    "prepared_key",              // hardening
    "prepared_reference",        // hardening
    "require_owner",             // protect, unprotect, share, unshare
    "require_plain",             // create, and what takes a reason
    "give_reason",               // suspend, resume, share, unshare, waive, unwaive
    "check_change",              // triggers of tenants, shared, waivers
    "journal_change",            // likewise
    "require_reason",            // unprotect, share, unshare
    "sample_values",             // prove
    "stamp_change",              // trigger of tenants
    "tables_of",                 // protect_schema
    "unfence",                   // unprotect, one table of a hierarchy
    "views_over",                // prove
    "warn_of_newcomer",          // pg_tenant.new_tables = warn
    "without_included",          // hardening
    "with_equal_nulls",          // hardening
    "said_of_shared_key",        // hardening
];

/// A statement of a block, and the SQLSTATE it is refused with, if it is.
struct Statement {
    sql: String,
    error: Option<String>,
}

#[tokio::test]
async fn an_example_does_not_do_what_it_says() {
    let db = Cluster::shared().plain_database("reference").await;
    let mut sessions: HashMap<String, Session> = HashMap::new();
    let blocks = README.split("\n```sql\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    let mut run = 0;
    for block in blocks {
        let role = block.strip_prefix("-- as ").and_then(|rest| rest.lines().next()).unwrap_or("postgres");
        if !sessions.contains_key(role) {
            sessions.insert(role.to_owned(), db.connect(role).await);
        }
        let session = &sessions[role];
        for Statement { sql, error } in statements(block) {
            match (session.batch_execute(&sql).await, error) {
                (Ok(()), None) => {}
                (Ok(()), Some(code)) => panic!("as {role}: {sql}\nwas not refused; the reference says {code}"),
                (Err(e), code) if e.code().map(|c| c.code()) == code.as_deref() => {}
                (Err(e), code) => panic!("as {role}: {sql}\nthe reference says {code:?}\n{}", describe(&e)),
            }
            run += 1;
        }
    }
    assert!(run > 50, "the reference has examples: {run}");
}

fn statements(block: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut sql = String::new();
    for line in block.lines() {
        if let Some(code) = line.strip_prefix("-- error: ") {
            statements.last_mut().expect("a statement before its error").error = Some(code.to_owned());
            continue;
        }
        sql += line;
        sql.push('\n');
        if line.split(" --").next().unwrap_or_default().trim_end().ends_with(';') {
            statements.push(Statement { sql: std::mem::take(&mut sql), error: None });
        }
    }
    assert!(sql.trim().is_empty(), "a statement without its end: {sql}");
    statements
}

/// The names in headings that begin with this: `tenant.` or `pg_tenant.`.
fn headings(prefix: &str) -> BTreeSet<String> {
    let heading = format!("### `{prefix}");
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    README.lines().filter_map(|line| Some(name(line.strip_prefix(&heading)?))).collect()
}

async fn names(session: &Session, sql: &str) -> BTreeSet<String> {
    session.rows(sql).await.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn something_of_schema_tenant_has_no_heading() {
    let boss = database("headings").await.superuser().await;
    let objects = "select proname from pg_proc where pronamespace = 'tenant'::regnamespace and proname !~ '^doctor_'
        union select relname from pg_class where relnamespace = 'tenant'::regnamespace and relkind in ('r', 'v', 'm', 'p')
            and relname !~ '^(doctor_\\w+|finding_t\\d{3})$' -- the doctor's inside: it has pages of its own";
    let mut there = names(&boss, objects).await;
    for internal in INTERNAL {
        assert!(there.remove(*internal), "{internal} is gone: take it off the list");
    }
    assert_eq!(headings("tenant."), there);
    let settings = "select split_part(name, '.', 2) from pg_settings where name like 'pg_tenant.%'";
    assert_eq!(headings("pg_tenant."), names(&boss, settings).await);
    let roles = "select substr(rolname, 8) from pg_roles where rolname like 'tenant\\_%'";
    assert_eq!(headings("tenant_"), names(&boss, roles).await);
}

#[tokio::test]
async fn a_signature_or_a_default_is_another() {
    let boss = database("signatures").await.superuser().await;
    for name in headings("tenant.") {
        let heading = README.lines().find(|line| line.starts_with(&format!("### `tenant.{name}("))).unwrap_or_default();
        let overloads = format!(
            "select pg_get_function_arguments(oid) from pg_proc where proname = '{name}' and pronamespace = 'tenant'::regnamespace"
        );
        for arguments in names(&boss, &overloads).await {
            for argument in arguments.split(", ") {
                let plain = argument.replace("DEFAULT", "default").replace("NULL", "null").replace("::text", "");
                let plain = plain.replace("::tenant.key_form", "");
                let plain = plain
                    .replace("::name", "")
                    .replace("::regclass[]", "")
                    .replace("::jsonb", "")
                    .replace("null[]", "null")
                    .replace("IN ", "");
                let one_of_several = plain.split_once(' ').is_some_and(|(name, kind)| {
                    heading.contains(&format!("{name} ")) && heading.contains(&format!(" | {kind}"))
                });
                let typed = plain.split(" default ").next().is_some_and(|typed| heading.contains(typed))
                    && plain.contains("interval");
                assert!(heading.contains(&plain) || one_of_several || typed, "{name}: {plain} is not in {heading}");
            }
        }
    }
    // The last words on a setting are its default.
    for name in headings("pg_tenant.") {
        let text = README.split(&format!("### `pg_tenant.{name}`\n")).nth(1).and_then(|rest| rest.split("\n#").next());
        let words =
            text.and_then(|text| text.split("\n```").next()).map(|text| text.replace('\n', " ")).expect("a text");
        let boot = boss.value(&format!("select boot_val from pg_settings where name = 'pg_tenant.{name}'")).await;
        let boot = boot.filter(|boot| !boot.is_empty()).map_or("empty".into(), |boot| format!("`{boot}`"));
        assert!(words.trim_end().ends_with(&format!("Default {boot}.")), "{name}: {words}");
    }
}

#[test]
fn a_sqlstate_has_no_row() {
    let rows: Vec<&str> = README.lines().filter(|line| line.starts_with("| TN")).collect();
    let row = |r: &Refusal| format!("| {} | {} | {} |", r.code(), r.condition(), r.summary());
    assert_eq!(rows, Refusal::ALL.iter().map(row).collect::<Vec<_>>());
}

/// `create extension` fails where a declared symbol is missing; the other way round nobody would notice.
#[tokio::test]
async fn the_library_exports_what_no_function_declares() {
    let boss = database("symbols").await.superuser().await;
    let declared =
        names(&boss, "select prosrc from pg_proc where pronamespace = 'tenant'::regnamespace and prolang = 13").await;
    let library: PathBuf = Install::current().pkglibdir.join("pg_tenant.so");
    let bytes = std::fs::read(&library).expect("read the library");
    let prefix = b"pg_finfo_";
    let exported: BTreeSet<String> = bytes
        .windows(prefix.len())
        .enumerate()
        .filter(|(_, window)| window == prefix)
        .map(|(at, _)| &bytes[at + prefix.len()..])
        .map(|rest| {
            rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').map(|&b| char::from(b)).collect()
        })
        .filter(|name: &String| name.starts_with("pg_tenant_"))
        .collect();
    assert_eq!(exported, declared);
}
