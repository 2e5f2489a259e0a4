//! What the figures should be. A run says whether they are; it never fails for it.

use super::record::Record;

/// What one figure should be.
pub(crate) struct Target {
    suite: &'static str,
    pub(super) kind: &'static str,
    pub(super) workload: &'static str,
    pub(super) peer: &'static str,
    pub(super) bound: Bound,
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

const fn target(
    suite: &'static str,
    kind: &'static str,
    workload: &'static str,
    peer: &'static str,
    bound: Bound,
) -> Target {
    Target { suite, kind, workload, peer, bound }
}

const TARGETS: &[Target] = &[
    target("isolation", "ratio", "point_read_bound_role", "bypassrls_by_hand", AtLeast(0.98)),
    target("isolation", "ratio", "point_read_entered", "bypassrls_by_hand", AtLeast(0.98)),
    target("isolation", "ratio", "point_read_bound_role_processor", "bypassrls_by_hand", AtLeast(0.98)),
    target("isolation", "ratio", "point_read_entered_processor", "bypassrls_by_hand", AtLeast(0.98)),
    target("isolation", "ratio", "scan_count", "bypassrls_by_hand", AtLeast(0.97)),
    target("isolation", "ratio", "scan_aggregate", "bypassrls_by_hand", AtLeast(0.97)),
    target("isolation", "ratio", "scan_count_processor", "bypassrls_by_hand", AtLeast(0.97)),
    target("isolation", "ratio", "scan_aggregate_processor", "bypassrls_by_hand", AtLeast(0.97)),
    target("guard", "ratio", "guard_bound_role", "library_not_loaded", AtLeast(0.98)),
    target("guard", "ratio", "guard_entered", "library_not_loaded", AtLeast(0.98)),
    target("guard", "ratio", "guard_unprotected_table", "library_not_loaded", AtLeast(0.98)),
    target("guard", "us", "guard", "bound_role_pipelined", AtMost(1.0)),
    target("guard", "us", "guard", "entered_pipelined", AtMost(1.0)),
    target("guard", "us", "guard", "unprotected_table_pipelined", AtMost(1.0)),
    target("signed", "us", "signed_entry", "hs256_first", AtMost(5.0)),
    target("signed", "us", "signed_entry", "eddsa_first", AtMost(60.0)),
    target("signed", "us", "signed_entry", "eddsa_again", AtMost(2.0)),
    target("doctor", "s", "doctor_1000_tables_10000_grants", "first", AtMost(2.0)),
    target("doctor", "processor_s", "doctor_1000_tables_10000_grants", "first", AtMost(2.0)),
    target("registry", "times", "enter", "of_100_tenants", AtMost(1.5)),
    target("registry", "times", "enter_for_member_and_ask", "of_1000000_tenants", AtMost(1.5)),
    target("registry", "ratio", "enter_beside_100_changes_a_second", "without_changes", AtLeast(0.97)),
    target("audit", "times", "audit_update_1000_rows", "overhead_of_a_row_trigger", AtMost(0.5)),
    target("audit", "times", "audit_insert_1000_rows", "overhead_of_a_row_trigger", AtMost(0.5)),
    target("audit", "times", "audit_delete_1000_rows", "overhead_of_a_row_trigger", AtMost(0.5)),
    target("usage", "ratio", "usage", "64_tenants", AtLeast(0.8)),
    target("usage", "ratio", "usage_and_2_ms", "64_tenants", AtLeast(0.8)),
    target("neighbours", "times", "readers_p99_beside_heavy", "limited", AtMost(1.5)),
    target("statistics", "ratio", "point_reads_with_statistics", "without", AtLeast(0.99)),
    target("statistics", "times", "statistics", "overhead_of_pg_stat_statements", AtMost(0.2)),
    target("jobs", "ratio", "jobs_1_workers", "pgmq_sql", AtLeast(1.0)),
    target("jobs", "ratio", "jobs_8_workers", "pgmq_sql", AtLeast(1.0)),
    target("jobs", "ratio", "jobs_64_workers", "pgmq_sql", AtLeast(1.0)),
    target("jobs", "ratio", "jobs_1_workers", "graphile_worker_sql", AtLeast(1.0)),
    target("jobs", "ratio", "jobs_8_workers", "graphile_worker_sql", AtLeast(1.0)),
    target("jobs", "ratio", "jobs_64_workers", "graphile_worker_sql", AtLeast(1.0)),
    target("jobs", "jobs", "claimed_until_two_beside_100000_are", "pg_tenant", AtMost(8.0)),
    target("costs", "ratio", "one_statement_processor", "same_wire", AtLeast(0.95)),
    target("costs", "ratio", "one_statement_processor", "stock_pipelined", AtLeast(1.0)),
    target("costs", "ratio", "one_statement_sqlx_processor", "sqlx", AtLeast(1.0)),
    target("costs", "ratio", "five_statements_pipeline_processor", "same_wire", AtLeast(0.95)),
    target("costs", "ratio", "five_statements_sqlx_processor", "sqlx", AtLeast(1.0)),
    target("client", "ratio", "one_statement_rtt2ms_tasks16", "deadpool", AtLeast(3.5)),
    target("client", "ratio", "one_statement_rtt2ms_tasks16", "sqlx", AtLeast(4.5)),
    target("client", "ratio", "one_statement_rtt0ms_tasks16", "deadpool", AtLeast(1.5)),
    target("client", "ratio", "one_statement_latency_rtt0.5ms", "bare", AtLeast(1.0 / 1.1)),
    target("client", "ratio", "five_statements_rtt2ms_tasks16", "deadpool", AtLeast(1.3)),
    target("client", "ratio", "five_statements_then_commit_rtt2ms_tasks16", "deadpool", AtLeast(1.3)),
    target("client", "ratio", "five_statements_pipeline_rtt2ms_tasks16", "deadpool", AtLeast(1.3)),
    target("client", "ratio", "five_statements_rtt0ms_tasks16", "deadpool", AtLeast(1.3)),
    target("client", "round_trips", "one_statement", "pg_tenant", AtMost(1.0)),
    target("fairness", "times", "victims_p99_beside_greedy", "pg_tenant", AtMost(1.5)),
    target("fairness", "ratio", "greedy_alone", "deadpool", AtLeast(1.0)),
];

/// Those of one suite.
pub(crate) fn of(suite: &str) -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().filter(move |target| target.suite == suite)
}

impl Target {
    /// Whether the figure is what it should be; `None` where there is none.
    pub(super) fn holds(&self, record: &Record) -> Option<bool> {
        let value = record.value(self.kind, self.workload, self.peer)?;
        Some(match self.bound {
            AtLeast(bound) => value >= bound,
            AtMost(bound) => value <= bound,
        })
    }

    pub(super) fn should_be(&self) -> String {
        match self.bound {
            AtLeast(bound) => format!("≥ {bound:.2}"),
            AtMost(bound) => format!("≤ {bound:.2}"),
        }
    }

    /// One line: what it is, what it should be, whether it is.
    pub(crate) fn judge(&self, record: &Record) -> String {
        let Target { kind, workload, peer, .. } = self;
        let value = record.value(kind, workload, peer).map_or("not measured".to_owned(), |v| format!("{v:.3}"));
        let verdict = match self.holds(record) {
            Some(true) => "holds",
            Some(false) => "missed",
            None => "open",
        };
        format!("target {kind} {workload} {peer} {} : {value}, {verdict}", self.should_be())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::sample;

    #[test]
    fn a_target_holds_at_its_bound() {
        let mut record = sample();
        let target = target("client", "us", "a", "b", AtMost(1.0));
        assert_eq!(target.holds(&record), None);
        record.add("us", "a", "b", 1.0);
        assert_eq!(target.holds(&record), Some(true));
        assert_eq!(target.judge(&record), "target us a b ≤ 1.00 : 1.000, holds");
        record.figures.clear();
        record.add("us", "a", "b", 1.001);
        assert_eq!(target.holds(&record), Some(false));
    }
}
