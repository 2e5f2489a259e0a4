//! Something was added that no test names: a function, table or view of the schema `tenant`, a setting, a refusal.
//! Each is in the text of a test, or below with a reason. (Arms of the guards: `extension/guards/arm_untested.rs`; kinds of tables
//! and verbs: `isolation_matrix`.)

use std::fs;
use std::path::Path;

use pg_tenant_core::Refusal;

/// What no test names, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("tenant.apply_protection", "the body of tenant.protect, which every test of protection calls"),
    ("tenant.remove_protection", "the body of tenant.unprotect"),
    ("tenant.fence", "a step of tenant.protect"),
    ("tenant.fence_hierarchy", "a step of tenant.protect, and of what becomes of a new partition"),
    ("tenant.unfence", "a step of tenant.unprotect"),
    ("tenant.apply_membership", "the body of tenant.protect_by_membership"),
    ("tenant.fence_members", "a step of tenant.protect_by_membership"),
    ("tenant.keep_members", "a step of tenant.protect_by_membership and unprotect: membership/a_tenant_adds_itself"),
    ("tenant.member_triggers", "likewise"),
    ("tenant.trigger_text", "likewise"),
    ("tenant.reached_through", "likewise"),
    ("tenant.membership_columns", "a step of tenant.protect_by_membership: TN021 is its refusal"),
    ("tenant.membership_key", "a step of tenant.protect_by_membership: membership/it_cannot_be_made has each type"),
    ("tenant.membership_member", "likewise"),
    ("tenant.membership_type", "likewise: TN022 is its refusal"),
    ("tenant.require_membership", "a step of tenant.protect_by_membership: TN028 and TN025 are its refusals"),
    ("tenant.require_table", "a step of protect and protect_by_membership: TN020 is its refusal"),
    ("tenant.is_root", "a step of tenant.protect: protect/root_cannot_be_protected"),
    ("tenant.require_create", "a step of tenant.protect: protect/readme_does_not_work"),
    ("tenant.said_of_open_table", "a step of tenant.protect_schema: protect/open_table_is_passed_over"),
    ("tenant.unfence_remains", "a step of tenant.unprotect, of a table that has lost its policies"),
    ("tenant.hierarchy", "a step of tenant.protect: partitions and children are in the matrix"),
    ("tenant.tables_of", "a step of protect_schema"),
    ("tenant.protect_listed", "a step of protect_schema"),
    ("tenant.harden_listed", "a step of protect_schema"),
    ("tenant.column_of", "a step of protect_schema: protect/a_schema_stops_half_way gives it mappings"),
    ("tenant.require_columns", "a step of protect_schema: protect/a_schema_stops_half_way compares its refusals"),
    (
        "tenant.foresee_protection",
        "protect_schema with dry_run: protect/a_schema_stops_half_way compares it with what is done",
    ),
    ("tenant.is_of_all", "a step of protect_schema: protect/a_schema_stops_half_way ends a call by such an error"),
    ("tenant.warn_of_left", "a step of protect_schema: protect/a_schema_stops_half_way reads the warning"),
    ("tenant.fence_steps", "a step of tenant.protect"),
    (
        "tenant.has_shared_rows",
        "a column of tenant.protected_tables, which protect/somebodys_rows_are_everybodys compares",
    ),
    ("tenant.policy_form", "a step of protect and unprotect: guards/one_of_three_is_taken has each form mended"),
    ("tenant.will_share_rows", "a step of protect: protect/somebodys_rows_are_everybodys protects again in each form"),
    ("tenant.require_shareable", "a step of protect: TN022, TN025 and TN026 are its refusals"),
    ("tenant.refuse_publishing_keys", "a step of protect: TN073 is its refusal"),
    ("tenant.require_tables", "a step of protect_schema: protect/somebodys_rows_are_everybodys misspells one"),
    ("tenant.require_step", "a step of tenant.protect: 42501 and TN054 are its refusals"),
    ("tenant.require_protectable", "a step of tenant.protect: TN020 and TN027 are its refusals"),
    ("tenant.refuse_nulls", "a step of tenant.protect: TN024 is its refusal"),
    ("tenant.lookup_row", "a step of tenant.allow_lookup: TN057 is its refusal"),
    ("tenant.lookup_obstacle", "likewise: registry/a_key_tells_too_much compares what it says"),
    ("tenant.lookup_ended", "a step of tenant.lookup: registry/a_key_tells_too_much compares what it says"),
    ("tenant.refuse_lookup", "a step of tenant.lookup: TN056 is its refusal"),
    ("tenant.number_lookup", "a trigger: registry/a_key_tells_too_much drops a column and makes it again"),
    ("tenant.protect_step", "a step of protect_schema_stepwise"),
    ("tenant.prepared_reference", "a step of hardening: harden/a_key_is_made_twice compares the keys"),
    ("tenant.prepared_key", "likewise"),
    ("tenant.reader_for", "a step of tenant.protect: TN020 to TN026 are its refusals"),
    ("tenant.refuse_materialized_views", "a step of tenant.protect: TN027 is its refusal"),
    ("tenant.require_reason", "a step of unprotect and share: TN029 is its refusal"),
    ("tenant.is_shown", "asked by plans: guards/catalog_tells compares what is shown"),
    ("tenant.hidden", "stands in plans for others: guards/hidden_shows_through compares what it gives"),
    ("tenant.hidden_set", "likewise"),
    ("tenant.reach_of", "a step of bind_role: sessions/the_wrong_role_is_bound compares what it says"),
    ("tenant.own_row", "asked by plans of on conflict: TN068 is its refusal"),
    ("tenant.is_current_support", "asked by the planner: strict/a_plan_changes_shape compares plans"),
    ("tenant.former_column", "a step of protect, and of the doctor's T100"),
    ("tenant.former_tables", "a step of tenant.upgrade_fences"),
    ("tenant.before_protection", "a step of unprotect"),
    ("tenant.forget_dropped", "a step of share and protect_schema"),
    ("tenant.require_plain", "a step of what takes a name or a reason: TN100 is its refusal"),
    (
        "tenant.give_reason",
        "a step of share, suspend and waive: registry/a_record_is_forged compares the journal's reasons",
    ),
    ("tenant.check_change", "a trigger: registry/a_record_is_forged writes past the functions"),
    ("tenant.journal_creation", "a trigger: registry/a_record_is_forged compares the journal"),
    ("tenant.journal_tenants", "a trigger: registry/a_record_is_forged compares the journal"),
    ("tenant.registry_epoch", "a table without rows or columns: servers/standby_is_open hears of changes by it"),
    ("tenant.journal_change", "a trigger: registry/a_record_is_forged compares the journal"),
    ("tenant.keep_tenant", "a trigger: TN052 is its refusal"),
    ("tenant.require_one_owner", "a step of protect: TN054 is its refusal"),
    ("tenant.require_owner", "a step of protect and share"),
    (
        "tenant.said_of_shared_key",
        "a step of tenant.hardening: harden/nobodys_rows_lose_their_key compares what it says",
    ),
    (
        "tenant.with_equal_nulls",
        "a step of tenant.hardening: harden/nobodys_rows_lose_their_key compares what it makes",
    ),
    ("tenant.plan_hardening", "the body of tenant.hardening and of protect with harden"),
    ("tenant.keys_without_tenant", "a step of tenant.hardening"),
    ("tenant.key_column", "a step of tenant.hardening"),
    ("tenant.surrogate_kind", "a step of tenant.hardening: harden/an_orm_stumbles has each kind"),
    ("tenant.is_referable", "a step of tenant.hardening"),
    ("tenant.is_prepared", "a step of tenant.hardening: harden/a_release_is_torn"),
    ("tenant.change_of_key", "a step of tenant.hardening"),
    ("tenant.key_form", "a cast: every test of harden => true"),
    ("tenant.obstacle_of_key", "a step of tenant.hardening: TN085 and TN086 are its refusals"),
    ("tenant.obstacle_of_reference", "a step of tenant.hardening: TN086 is its refusal"),
    ("tenant.index_with_tenant", "a step of tenant.hardening: harden/a_key_loses_something compares what it gives"),
    ("tenant.constraint_with_tenant", "a step of tenant.hardening"),
    ("tenant.reference_with_tenant", "a step of tenant.hardening"),
    ("tenant.match_full_check", "a step of tenant.hardening"),
    ("tenant.without_included", "a step of tenant.hardening"),
    ("tenant.column_list", "a step of tenant.hardening"),
    ("tenant.name_beside", "a step of tenant.hardening"),
    ("tenant.references_across", "the query in the hint of TN087"),
    ("tenant.count_across", "the number in the message of TN087"),
    ("tenant.provable", "a step of tenant.prove: its rows are counted against tenant.protected_tables"),
    ("tenant.plant", "a step of tenant.prove: each of its rows says what was planted"),
    ("tenant.sample_values", "a step of tenant.prove"),
    ("tenant.attack", "a step of tenant.prove: mutations fail where it does not attack"),
    ("tenant.bypassing", "a step of tenant.prove"),
    ("tenant.run_as", "a step of tenant.prove: prove/an_owners_code_runs looks whom it runs as"),
    ("tenant.run_past_policies", "likewise"),
    ("tenant.attack_prepared", "a step of tenant.prove"),
    ("tenant.attack_through", "a step of tenant.prove"),
    ("tenant.attack_copy", "a step of tenant.prove"),
    ("tenant.attack_view", "a step of tenant.prove"),
    ("tenant.attack_planned", "a step of tenant.prove: a mutation is noticed by it alone"),
    ("tenant.prove_plans", "a step of tenant.prove"),
    ("tenant.attack_index", "a step of tenant.prove: prove/an_index_tells"),
    ("tenant.prove_indexes", "likewise"),
    ("tenant.prove_table", "a step of tenant.prove"),
    ("tenant.prove_mutation", "a step of tenant.prove"),
    ("tenant.views_over", "a step of tenant.prove"),
    ("tenant.prove_members", "a step of tenant.prove: membership/it_is_proved"),
    ("tenant.prove_member_mutation", "likewise"),
];

/// All tests, but for this file.
fn tests() -> String {
    let mut text = String::new();
    read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")), &mut text);
    text
}

fn read(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("read a directory") {
            read(&entry.expect("an entry").path(), text);
        }
    } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("coverage.rs") {
        *text += &fs::read_to_string(path).expect("read a test");
    }
}

/// Whether the text has the word, and not as part of a longer one.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| !text[at + word.len()..].starts_with(part))
}

#[tokio::test]
async fn an_object_has_no_test() {
    let db = pg_tenant_tests::database("covered").await;
    let objects = db
        .superuser()
        .await
        .rows(
            "select distinct 'tenant.' || proname from pg_proc where pronamespace = 'tenant'::regnamespace and proname !~ '^doctor_'
             union all select 'tenant.' || relname from pg_class
                where relnamespace = 'tenant'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'f')
                    and relname !~ '^(doctor_\\w+|finding_t\\d{3})$' -- doctor/a_finding_has_no_proof.rs
             union all select name from pg_settings where name like 'pg\\_tenant.%'",
        )
        .await;
    let objects: Vec<String> = objects.into_iter().flatten().flatten().collect();
    assert!(objects.len() > 30, "{objects:?}");
    let tests = tests();
    let untested = |object: &&String| !names(&tests, object) && !EXEMPT.iter().any(|(name, _)| name == *object);
    let untested: Vec<_> = objects.iter().filter(untested).collect();
    assert!(untested.is_empty(), "no test names {untested:?}: write one, or give a reason in EXEMPT");
    let gone: Vec<_> = EXEMPT.iter().filter(|(name, _)| !objects.iter().any(|o| o == name)).collect();
    assert!(gone.is_empty(), "exempt, but not there: {gone:?}");
}

#[test]
fn a_refusal_has_no_test() {
    let tests = tests();
    let untested: Vec<_> = Refusal::ALL.iter().filter(|r| !tests.contains(&format!("\"{}\"", r.code()))).collect();
    assert!(untested.is_empty(), "no test expects {untested:?}");
}
