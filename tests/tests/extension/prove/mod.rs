//! `tenant.prove()`: it passes where tenants are kept apart, fails where they are not, notices every weakening that it
//! makes itself, and leaves nothing.

mod fixture;

mod a_hole_passes;
mod a_table_is_skipped;
mod a_weakening_is_not_noticed;
mod an_index_tells;
mod an_owners_code_runs;
mod it_holds_others_up;
mod it_leaves_something;
mod rows_of_nobody_are_not_tried;
