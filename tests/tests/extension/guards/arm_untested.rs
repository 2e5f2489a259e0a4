//! Every arm of the guards has a test here: who adds an arm adds its row and its test.

const UTILITY: &str = include_str!("../../../../pg_tenant/src/guard/utility.rs");
const COMMANDS: &str = include_str!("../../../../pg_tenant/src/pg/command/alter.rs");

/// Each arm, and the file beside this one that shows what it refuses; `-` where it only takes note (the client's tests
/// show what for).
const ARMS: [(&str, &str); 33] = [
    ("DiscardAll", "-"),
    ("Transaction", "-"),
    ("AlterTable", "fence_removed ddl_in_tenant"),
    ("ChangePolicy", "fence_removed ddl_in_tenant"),
    ("AlterType", "ddl_in_tenant"),
    ("DefineOn", "ddl_in_tenant table_comes_back_open"),
    ("Maintain", "ddl_in_tenant maintenance_reaches_all"),
    ("MaintainAll", "maintenance_reaches_all"),
    ("AlterSequence", "maintenance_reaches_all"),
    ("Refresh", "maintenance_reaches_all"),
    ("Publish", "maintenance_reaches_all"),
    ("LargeObject", "maintenance_reaches_all"),
    ("CreateTableAs", "copy_unprotected table_comes_back_open"),
    ("Lock", "outlives_the_transaction locked_by_a_stranger"),
    ("HoldCursor", "outlives_the_transaction"),
    ("PrepareTransaction", "outlives_the_transaction"),
    ("PrepareStatement", "-"),
    ("Listen", "outside_policies"),
    ("UnlistenAll", "sessions/residue_is_undone"),
    ("GrantOnParameter", "setting_given_away"),
    ("StoreSetting", "setting_given_away"),
    ("CreateTrigger", "trigger_of_a_stranger"),
    ("Create", "partition_unfenced outlives_the_transaction table_comes_back_open"),
    ("CreateView", "stands_in_front"),
    ("Begin", "sessions/a_transaction_is_lent"),
    ("ChangeRole", "planted_in_a_role"),
    ("ChangeOwned", "planted_in_a_role"),
    ("Explain", "side_channels"),
    ("CopyFile", "outside_policies"),
    ("ImportForeignSchema", "foreign_rows_sampled"),
    ("Notify", "outside_policies"),
    ("Set", "-"),
    ("Other", "-"),
];

/// Each change of an ALTER TABLE that a guard asks for, in SQL that a test runs.
const CHANGES: [(&str, &str); 10] = [
    ("DisableRowSecurity", "disable row level security"),
    ("NoForceRowSecurity", "no force row level security"),
    ("DropColumn", "drop column tenant_id"),
    ("AlterColumnType", "alter tenant_id type"),
    ("DropNotNull", "drop not null"),
    ("Detach", "detach partition"),
    ("Attach", "attach partition"),
    ("Inherit", "inherit events_base"),
    ("NoInherit", "no inherit"),
    ("Other", "add more int"),
];

#[test]
fn a_command_has_no_test() {
    for arm in
        words_after(UTILITY, "Command::").chain(words_after(UTILITY, "pub fn drop_").map(|w| format!("drop_{w}")))
    {
        assert!(ARMS.iter().any(|(name, _)| *name == arm), "utility.rs judges {arm}: add its row here, and its test");
    }
}

#[test]
fn a_change_of_a_table_has_no_test() {
    let tests = [include_str!("fence_removed.rs"), include_str!("partition_unfenced.rs")].concat();
    for arm in words_after(COMMANDS, "Change::") {
        let sql = CHANGES.iter().find(|(name, _)| *name == arm).map(|(_, sql)| *sql);
        assert!(sql.is_some_and(|sql| tests.contains(sql)), "command.rs reads {arm}: add its SQL here, and its test");
    }
}

fn words_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = String> + 'a {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.split(prefix).skip(1).map(word).filter(|word| !word.is_empty())
}
