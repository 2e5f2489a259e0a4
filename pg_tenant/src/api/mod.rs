//! The SQL surface: argument conversion only; decides nothing. Each function is declared in `sql/schema/`.

mod registry;
mod tenant;
mod protect;
