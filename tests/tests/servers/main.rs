//! Around one server: dumps, standbys, replication, databases and servers without the extension.

mod a_setting_breaks_others;
mod a_truncate_is_replicated;
mod bindings_lost;
mod dropped_extension_opens;
mod dump_loses_rows;
mod installed_on_quicksand;
mod neighbour_disturbed;
mod not_preloaded;
mod one_table_is_restored;
mod replication_stops;
mod standby_is_open;
mod statistics_are_lost;
mod upgraded_server_is_open;
