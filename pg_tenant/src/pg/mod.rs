//! Thin safe wrappers over PostgreSQL: the home of `unsafe`. Nothing here decides; it reads, converts and calls.

// Rust in a backend
pub mod backend_cell; // a static that only the one thread of a backend uses
pub mod boundary; // the one way into PostgreSQL's error machinery
pub mod list; // lists of PostgreSQL
pub mod memory; // where Rust's memory comes from
pub mod raw; // functions of PostgreSQL that we declare ourselves
pub mod report; // an error, before it is raised
pub mod text; // text of PostgreSQL

// SQL functions
pub mod answering; // that decide at run time whether another one is called
mod arguments; // of our SQL functions
pub mod as_owner; // that run a command as another role
pub mod asking; // that ask another one for what is not remembered
pub mod call; // SQL functions, called from Rust
pub mod function; // ours, as PostgreSQL calls them
pub mod in_steps; // that write to journal and log
mod json; // put together a piece at a time
mod json_scalar; // values of common types as JSON
pub mod own_function; // which function of ours a policy calls
pub mod proc; // functions by oid and by name
mod row_changes; // what a statement has changed in rows
mod row_columns; // their columns and values
pub mod row_digest; // one number for what stands in a row
pub mod row_function; // that are called for each row
mod sql_function; // macros that export ours

// The server and the session
pub mod activity; // what each session has entered, in shared memory
pub mod changes; // which tenants this transaction has changed
pub mod gates; // what tenants take of their limits, in shared memory
pub mod invalidation; // a change in one session reaches the caches of all
pub mod lifetime; // the ends of transactions and savepoints
pub mod lookups; // how often tenants were looked up, in shared memory
pub mod notify; // NOTIFY
pub mod own_setting; // settings that only our code writes
pub mod preload; // whether the library was preloaded
pub mod refused; // refusals, counted in shared memory
pub mod remembered; // what backends have read of the registry, in shared memory
pub mod replication; // whether this is a replication connection
pub mod role; // who runs a statement
pub mod security; // the mark on queries of foreign keys
pub mod server; // configuration, clock, encoding
pub mod session; // what earlier transactions have left
pub mod session_settings; // settings that earlier transactions have left
pub mod setting; // setting and reading settings
pub mod shared_memory; // shared memory of our own
pub mod statement; // the running statement's text
pub mod statistics; // the memory of what tenants cost
pub mod temporary; // temporary objects
pub mod transaction; // the state of the transaction
pub mod usage; // what this backend has used so far
pub mod versions; // of tenants, in shared memory

// Statements
pub mod command; // parse trees of utility commands
pub mod folding; // constant folding: values that are computed once and kept
pub mod lifted; // row-level security, removed from a query
pub mod node; // nodes of parse trees and plans
pub mod plans; // plans of queries
mod query; // queries within queries
mod support; // what the planner is told of the fence

// The catalog
pub mod catalog; // scans by an index on oids
pub mod channel_row; // tenant.channels without SQL
pub mod defaults; // of columns: which read the tenant
pub mod depend; // pg_depend
pub mod extension; // whether the database has the extension
pub mod foreign_key;
pub mod hiding; // rows of catalogs that not everybody may see
pub mod hierarchy; // partitions and inheritance
pub mod impersonation_row; // tenant.impersonations without SQL
mod journal_line; // a line of tenant.journal, written without a statement
mod journal_part; // its parts, by month
pub mod journal_row; // tenant.journal without SQL
mod keyed_row; // a row by its primary key, without SQL
pub mod membership; // rows that belong to several tenants
pub mod oids; // catalogs and indexes by name
pub mod parts; // what a table has
pub mod people_rows; // tenant.members, tenant.roles and tenant.permissions without SQL
pub mod policy; // the tenant fence among the policies
pub mod registry_row; // tenant.tenants without SQL
pub mod relation; // by oid and by name
pub mod rewrite; // the relations under a view
pub mod shared_row; // tenant.shared without SQL
pub mod trigger; // triggers of a table
pub mod types; // types, and the tables that have columns of them
