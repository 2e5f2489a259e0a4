//! The SQL surface: argument conversion only; decides nothing. Each function is declared in `sql/schema/`.

mod impersonation;
mod lookup;
mod protect;
mod registry;
mod run_as;
mod settings;
mod signed;
mod system;
mod tenant;
