//! The doctor: finds what is planted and nothing else, gives SQL that mends it, and keeps to what was waived.

mod a_column_is_not_sealed;
mod case; // a defect, the finding it makes, the remedy: 0, 1, 0
mod page; // pg_tenant/doctor/: one page a finding

mod a_bill_is_not_paid;
mod a_defect_is_missed;
mod a_finding_has_no_proof;
mod a_healthy_database_has_findings;
mod a_journal_is_not_kept;
mod a_kept_value_is_missed;
mod a_key_defect_is_missed;
mod a_limit_is_passed;
mod a_path_defect_is_missed;
mod a_people_defect_is_missed;
mod a_policy_defect_is_missed;
mod a_setting_is_missed;
mod a_waiver_stays;
mod an_onboarding_is_stuck;
mod it_says_too_much;
mod jobs_stand_still;

/// Findings that a test of their own plants: they are of a whole server.
const ALONE: &[&str] = &["T081", "T085", "T092", "T093"];

fn cases() -> impl Iterator<Item = &'static case::Case> {
    [
        a_column_is_not_sealed::CASES,
        a_defect_is_missed::CASES,
        a_policy_defect_is_missed::CASES,
        a_key_defect_is_missed::CASES,
        a_path_defect_is_missed::CASES,
        a_people_defect_is_missed::CASES,
        a_kept_value_is_missed::CASES,
        a_setting_is_missed::CASES,
        an_onboarding_is_stuck::CASES,
        jobs_stand_still::CASES,
        a_bill_is_not_paid::CASES,
        a_limit_is_passed::CASES,
        a_journal_is_not_kept::CASES,
        a_journal_is_not_kept::SEALS,
    ]
    .into_iter()
    .flatten()
}
