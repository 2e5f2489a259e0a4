//! The catalog `pg_depend`: who needs whom.

use crate::pg::oids;
use pgrx::pg_sys::{AttrNumber, Oid};

pub const CATALOG: Oid = oids::DependRelationId;
/// Its index by what is needed.
pub const BY_REFERENCED: Oid = oids::DependReferenceIndexId;
/// Its index by who needs it.
pub const BY_DEPENDER: Oid = oids::DependDependerIndexId;
pub const CLASSID: AttrNumber = 1;
pub const OBJID: AttrNumber = 2;
pub const REFCLASSID: AttrNumber = 4;
pub const REFOBJID: AttrNumber = 5;
pub const DEPTYPE: AttrNumber = 7;
