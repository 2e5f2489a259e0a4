//! Jobs that the client's worker does, and schedules that it fires: what a killed one leaves, what goes wrong, who
//! waits.

mod world; // a table that jobs write, a worker's role

mod a_worker_is_not_woken;
mod it_is_killed;
mod what_goes_wrong_is_lost;
