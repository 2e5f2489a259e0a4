//! Thin safe wrappers over PostgreSQL: the home of `unsafe`. Nothing here decides; it reads, converts and calls.

// Rust in a backend
pub mod backend_cell; // a static of the one thread
pub mod boundary; // the one way into PostgreSQL's error machinery
pub mod list; // its lists
pub mod memory; // where Rust's memory comes from
pub mod raw; // functions of PostgreSQL that we declare ourselves
pub mod report; // an error, before it is raised
pub mod text; // its text

// SQL functions
pub mod answering; // in another's place
mod arguments; // of ours
pub mod as_owner; // commands on somebody's table
pub mod call; // calling them from here
pub mod function; // ours, as PostgreSQL calls them
pub mod in_steps; // those of ours that write journal and log
pub mod own_function; // those that policies call, recognised
pub mod proc; // pg_proc: which one has this name
pub mod row_function; // those of ours that are called for each row

// The server and the session
pub mod changes; // of tenants, in this transaction
pub mod invalidation; // a change in one session reaches the caches of all
pub mod lifetime; // the ends of transactions and savepoints
pub mod lookups; // how often tenants were looked up, in shared memory
pub mod notify; // NOTIFY
pub mod own_setting; // settings that only our code writes
pub mod preload; // was the library preloaded?
pub mod remembered; // what backends have read of the registry, in shared memory
pub mod replication; // is this such a connection?
pub mod role; // who runs a statement
pub mod security; // the mark on queries of foreign keys
pub mod server; // configuration, clock, encoding
pub mod session; // what earlier transactions left
pub mod session_settings; // and which settings
pub mod setting; // settings, for the transaction
pub mod shared_memory; // of our own
pub mod statement; // the running statement's text
pub mod temporary; // its temporary objects
pub mod transaction; // the state of the transaction
pub mod versions; // of tenants, in shared memory

// Statements
pub mod command; // parse trees of utility commands
pub mod folding; // what is computed once and kept
pub mod lifted; // row-level security, taken out of a query
pub mod plans; // plans of queries
mod query; // queries within queries
mod support; // what the planner is told of the fence

// The catalog
pub mod catalog; // scans by an index on oids
pub mod channel_row; // tenant.channels without SQL
pub mod defaults; // of columns: which read the tenant
pub mod depend; // who needs whom
pub mod extension; // is ours in this database?
pub mod foreign_key;
pub mod hiding; // rows of catalogs that are not for everybody
pub mod hierarchy; // partitions and inheritance
mod journal_line; // a line of tenant.journal, written without a statement
pub mod journal_row; // tenant.journal without SQL
pub mod membership; // rows that belong to several tenants
pub mod oids; // catalogs and indexes by name
pub mod parts; // what a table has
pub mod policy; // the tenant fence among the policies
pub mod registry_row; // tenant.tenants without SQL
pub mod relation; // by oid and by name
pub mod rewrite; // what stands under a view
pub mod shared_row; // tenant.shared without SQL
pub mod trigger; // who fires
pub mod types; // and the tables that hold them
