//! Functions that a tenant's transaction may not call, by name: PostgreSQL's own by the name in SQL, those of
//! extensions by their C symbol, which no schema and no rename hides.

/// What a function could do to the isolation of tenants.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// It is harmless.
    Harmless = 1,
    /// It shows rows or sessions of other tenants: sizes, counters, locks, activity.
    SideChannel = 2,
    /// It uses a name that all tenants share: advisory locks, notifications.
    SharedName = 3,
    /// It works on rows, files, sequences or sessions that no policy covers.
    BypassesPolicies = 4,
    /// It shows what this session has done before, maybe for another tenant: statements with their literals.
    Remembers = 6,
    /// It reads sequences, which show how many rows others insert.
    Counts = 7,
    /// It changes something that all sessions share, and shows it.
    Disturbs = 8,
    /// Our own function that is called instead of one that shows something; it decides when it runs.
    Answers = 9,
    /// C code of another extension that is not known to do any of this. It may set a setting, and no hook sees it.
    Foreign = 5,
}

impl Kind {
    /// Whether a tenant's transaction may be refused the call.
    pub fn is_refused(self) -> bool {
        matches!(
            self,
            Kind::SideChannel
                | Kind::SharedName
                | Kind::BypassesPolicies
                | Kind::Remembers
                | Kind::Counts
                | Kind::Disturbs
        )
    }

    /// Whether there is an answer that tells nothing: null, an empty set, or what is the session's own.
    pub fn is_hidden(self) -> bool {
        matches!(self, Kind::SideChannel | Kind::Remembers | Kind::Counts)
    }
}

/// PostgreSQL's own functions; a name that ends in `*` stands for all that begin so.
const BUILTIN: &[(Kind, &[&str])] = &[
    (
        Kind::SideChannel,
        &[
            "pg_stat_get_*",
            "pg_stat_have_stats",
            "pg_relation_size",
            "pg_table_size",
            "pg_indexes_size",
            "pg_total_relation_size",
            "pg_database_size",
            "pg_tablespace_size",
            "pg_lock_status",
            "pg_blocking_pids",
            "pg_safe_snapshot_blocking_pids",
            "pg_isolation_test_session_is_blocked",
            "pg_prepared_xact",
            "pg_sequence_last_value",
            "pg_available_wal_summaries",
            "pg_wal_summary_contents",
            "pg_notification_queue_usage",
            "pg_get_replication_slots",
            "pg_get_shmem_allocations*",
            "pg_get_aios",
            "pg_show_replication_origin_status",
            "pg_last_committed_xact",
            "pg_get_multixact_members",
        ],
    ),
    // Not pg_cursor: it shows no cursors of earlier transactions but those WITH HOLD, which no tenant can leave.
    (Kind::Remembers, &["pg_prepared_statement"]),
    (Kind::Counts, &["pg_get_sequence_data"]),
    // Not pg_advisory_unlock…: letting go of a lock tells nothing and holds up nobody.
    (
        Kind::SharedName,
        &["pg_advisory_lock*", "pg_advisory_xact_lock*", "pg_try_advisory_*", "pg_notify", "pg_logical_emit_message"],
    ),
    (
        Kind::BypassesPolicies,
        &[
            "lo_*",
            "loread",
            "lowrite",
            "currtid2",
            "setval",
            "pg_read_file*",
            "pg_read_binary_file",
            "pg_stat_file",
            "pg_ls_*",
            "pg_logical_slot_*",
            "pg_replication_slot_advance",
            "pg_create_*_replication_slot",
            "pg_copy_*_replication_slot",
            "pg_drop_replication_slot",
            "pg_cancel_backend",
            "pg_terminate_backend",
            "pg_log_backend_memory_contexts",
            "pg_stat_reset*",
            "pg_restore_*_stats",
            "pg_clear_*_stats",
            "brin_summarize_*",
            "brin_desummarize_range",
            "gin_clean_pending_list",
            "pg_replication_origin_*",
            "pg_sync_replication_slots",
            "pg_log_standby_snapshot",
            "pg_create_restore_point",
            "pg_backup_st*",
            "pg_switch_wal",
            "pg_promote",
            "pg_wal_replay_*",
            "pg_reload_conf",
            "pg_rotate_logfile*",
            "pg_import_system_collations",
            "pg_nextoid",
            "pg_stop_making_pinned_objects",
            "binary_upgrade_*",
        ],
    ),
];

/// C symbols of contrib modules and of other extensions.
const SYMBOLS: &[(Kind, &[&str])] = &[
    (
        Kind::Disturbs,
        &[
            "pg_prewarm",
            "pg_buffercache_evict*",
            "pg_buffercache_mark_dirty*",
            "pg_stat_statements_reset*",
            "pg_stat_kcache_reset*",
            "tsm_system_*",
        ],
    ),
    (
        Kind::SideChannel,
        &[
            "pgstattuple*",
            "pgstatindex*",
            "pgstatginindex*",
            "pgstathashindex*",
            "pg_relpages*",
            "pgrowlocks*",
            "pg_freespace*",
            "pg_visibility*",
            "pg_check_*",
            "pg_buffercache*",
            "pg_stat_statements*",
            "pg_stat_kcache*",
            "pg_old_snapshot_*",
        ],
    ),
    (Kind::SharedName, &["triggered_change_notification"]),
    (
        Kind::BypassesPolicies,
        &[
            "dblink*",
            "pg_background*",
            "repack_*",
            "get_raw_page*",
            "page_header",
            "page_checksum*",
            "fsm_page_contents",
            "heap_page_items*",
            "tuple_data_split*",
            "bt_metap*",
            "bt_page_*",
            "bt_multi_page_stats*",
            "brin_page_*",
            "brin_metapage_info*",
            "brin_revmap_data*",
            "gist_page_*",
            "gin_metapage_info*",
            "gin_page_*",
            "gin_leafpage_items*",
            "hash_page_*",
            "hash_bitmap_info",
            "hash_metapage_info",
            "verify_heapam*",
            "bt_index_*check",
            "gin_index_*check",
            "heap_force_*",
            "pg_truncate_visibility_map",
            "autoprewarm_*",
            "pg_get_wal_*",
            "pg_get_logical_snapshot_*",
            "pg_file_*",
            "pg_logdir_ls*",
            "lo_manage",
            "accept_weak_input",
        ],
    ),
];

/// What PostgreSQL's own function of this name does.
pub fn builtin(name: &str) -> Kind {
    find(BUILTIN, name)
}

/// What an extension's function with this C symbol does.
pub fn symbol(symbol: &str) -> Kind {
    match find(SYMBOLS, symbol) {
        _ if symbol.starts_with("pg_tenant_hidden") => Kind::Answers,
        Kind::Harmless if !symbol.starts_with("pg_tenant_") => Kind::Foreign,
        kind => kind,
    }
}

fn find(list: &[(Kind, &[&str])], name: &str) -> Kind {
    let found = list.iter().find(|(_, names)| names.iter().any(|pattern| matches(pattern, name)));
    found.map_or(Kind::Harmless, |(kind, _)| *kind)
}

/// At most one `*`, anywhere.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}
