//! The extension, a folder for each of its parts, on one server: only one binary is built, and only one server started.

mod billing;
mod context;
mod guards;
mod harden;
mod impersonation;
mod jobs;
mod journal;
mod limits;
mod membership;
mod onboarding;
mod people;
mod protect;
mod prove;
mod registry;
mod sessions;
mod statistics;
mod strict;
mod system;
mod usage;
