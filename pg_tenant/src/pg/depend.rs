//! The catalog `pg_depend`: who needs whom.

use pgrx::pg_sys::{AttrNumber, Oid};

pub const CATALOG: Oid = Oid::from_u32(2608);
/// Its index by what is needed.
pub const BY_REFERENCED: Oid = Oid::from_u32(2674);
/// Its index by who needs it.
pub const BY_DEPENDER: Oid = Oid::from_u32(2673);
pub const CLASSID: AttrNumber = 1;
pub const OBJID: AttrNumber = 2;
pub const REFCLASSID: AttrNumber = 4;
pub const REFOBJID: AttrNumber = 5;
pub const DEPTYPE: AttrNumber = 7;
