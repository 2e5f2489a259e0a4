//! Who works at the same time: each lane is a tenant with a session in each world.

/// A tenant that is watched.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub tenant: &'static str,
    /// Whether the tenant's id is a uuid; else it is a bigint. Both are texts.
    pub uuid: bool,
    /// Whether its sessions are of a bound role, which is inside with every statement.
    pub bound: bool,
}

/// Both kinds of ids, both ways in.
pub const LANES: [Lane; 4] = [
    Lane { tenant: "1001", uuid: false, bound: false },
    Lane { tenant: "aaaaaaaa-0000-4000-8000-00000000000a", uuid: true, bound: false },
    Lane { tenant: "1003", uuid: false, bound: true },
    Lane { tenant: "aaaaaaaa-0000-4000-8000-00000000000c", uuid: true, bound: false },
];

/// Who is not watched, and works on different things in each world.
pub const STRANGERS: Lane = Lane { tenant: crate::world::BUSY, uuid: false, bound: false };

impl Lane {
    /// The role of its sessions.
    pub fn role(&self, app: &str) -> String {
        if self.bound { format!("{app}_{}", self.tenant) } else { app.to_owned() }
    }
}
