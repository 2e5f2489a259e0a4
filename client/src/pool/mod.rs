//! Connections, lent only inside a tenant.

pub(crate) mod admission; // who may have one now
mod age;
pub(crate) mod builder;
pub(crate) mod cleanup; // what a dropped call left running
mod connecting; // a server that is full, or not there yet
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod lease;
pub(crate) mod limits; // what one tenant may take
pub(crate) mod lookup; // with no tenant entered
pub(crate) mod manager;
pub(crate) mod pooler;
pub(crate) mod read_after;
mod renewal; // replaces what has lived for long enough
pub(crate) mod replicas; // which serve what only reads
pub(crate) mod tenant_pool;
pub(crate) mod upkeep; // how long connections live, how many wait
pub(crate) mod version;
pub(crate) mod written; // how far each tenant has written
