//! Both drivers under load: sixty-four tasks each, calls dropped at random moments, backends terminated and connections
//! cut at random. Then nothing may be left behind, and every write must be there exactly if it was reported so.
//!
//! `LOAD_SECONDS` says how long (60), `SEED` repeats the choices of a run (not the timing). Each run prints its seed.

mod deed; // what a task does next
mod ledger; // what must have become of each write
mod over_sqlx;
mod over_tokio_postgres;
mod server; // tenants, a table, and trouble
mod storm; // the tasks
mod wire; // what is cut

mod a_write_is_lost_or_doubled;
