//! Thin safe wrappers over PostgreSQL: the home of `unsafe`. Nothing here decides; it reads, converts and calls.

pub mod boundary;
pub mod catalog;
pub mod command;
pub mod extension;
pub mod foreign_key;
pub mod function;
pub mod hierarchy;
pub mod identity;
pub mod invalidation;
pub mod list;
pub mod plans;
pub mod policy;
pub mod preload;
pub mod raw;
pub mod registry_row;
pub mod relation;
pub mod rewrite;
pub mod role;
pub mod security;
pub mod server;
pub mod session;
pub mod setting;
pub mod shared_row;
pub mod statement;
pub mod text;
pub mod transaction;
