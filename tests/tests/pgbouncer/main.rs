//! PgBouncer stands between the application and PostgreSQL, and mixes what must stay apart.

mod a_setting_leaks;
mod its_settings_are_dirt;
mod the_probe_lies;
