//! Tenants that the client's worker sets up in steps: what a killed worker leaves, what two at once do, what is undone.

mod world; // tables that steps write, a worker's role

mod it_is_killed;
mod it_is_told_nothing;
mod two_do_the_same;
mod what_goes_wrong_is_lost;
