//! Around one server: dumps, standbys, replication, databases and servers without the extension.

mod bindings_lost;
mod dropped_extension_opens;
mod dump_loses_rows;
mod installed_on_quicksand;
mod neighbour_disturbed;
mod not_preloaded;
mod replication_stops;
mod standby_is_open;
