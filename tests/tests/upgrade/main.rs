//! From one version of the extension to the next: an upgraded database equals a fresh one, and what 0.1.0 kept is kept.

mod formerly; // a database of 0.1.0 with something of everything

mod a_row_is_lost;
mod an_object_is_left_behind;
