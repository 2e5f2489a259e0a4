//! `tenant.protect` and what belongs to it: what it makes, what it refuses, what takes it away again.

mod cost_grows;
mod fixture; // two tenants, tables with rows of both, what the catalog says

mod a_schema_stops_half_way;
mod a_second_fence;
mod an_event_trigger_fails;
mod an_owners_code_runs;
mod foreign_key_lies;
mod former_fence_stays;
mod hint_leads_nowhere;
mod made_too_little;
mod not_the_same_twice;
mod open_table_is_passed_over;
mod partition_left_open;
mod policy_widens;
mod readme_does_not_work;
mod root_cannot_be_protected;
mod schema_table_forgotten;
mod somebodys_rows_are_everybodys;
mod stranger_decides;
mod unprotect_forgets;
mod unprotectable_passes;
mod verdict_is_forgotten;
