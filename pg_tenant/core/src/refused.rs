//! What was refused, until the journal is told: by SQLSTATE, login role and tenant. In shared memory, since the
//! transaction that was refused is undone: a table of fixed size, of which all zeros is an empty one.

use crate::{Refusal, TenantId};

/// Places for so many kinds, of all databases together.
const PLACES: usize = 512;
/// The journal has at most one line in so many seconds, of one kind.
const LINE: i64 = 60;

/// What is counted together: oids, a refusal by its place in [`Refusal::ALL`], and the tenant's id, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RefusedKey {
    pub database: u32,
    pub role: u32,
    pub refusal: u16,
    pub length: u16,
    pub tenant: [u8; TenantId::MAX_LEN],
}

/// So many since then, in seconds since 1970.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Refused {
    pub key: RefusedKey,
    pub count: u64,
    pub since: i64,
    pub until: i64,
    /// When the journal was told last; 0 in a place that nobody has, and before the first time.
    told: i64,
}

/// The table.
#[repr(C)]
pub struct Refusals {
    places: [Refused; PLACES],
}

impl RefusedKey {
    /// Of this refusal.
    pub fn new(database: u32, role: u32, refusal: Refusal, tenant: Option<&TenantId>) -> RefusedKey {
        let place = Refusal::ALL.iter().position(|one| *one == refusal).unwrap_or_default();
        let id = tenant.map_or("", |tenant| tenant.as_str()).as_bytes();
        let mut tenant = [0; TenantId::MAX_LEN];
        tenant[..id.len()].copy_from_slice(id);
        RefusedKey { database, role, refusal: place as u16, length: id.len() as u16, tenant }
    }

    /// The refusal.
    pub fn refusal(&self) -> Refusal {
        Refusal::ALL[usize::from(self.refusal).min(Refusal::ALL.len() - 1)]
    }

    /// The tenant's id.
    pub fn tenant(&self) -> Option<&str> {
        let id = self.tenant.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(id).ok().filter(|id| !id.is_empty())
    }
}

impl Refusals {
    /// Counts one, at this second since 1970. False where there is no place left: the journal will not know of it.
    pub fn count(&mut self, key: RefusedKey, now: i64) -> bool {
        let used = |place: &Refused| place.count > 0 || place.told > 0;
        let own = self.places.iter().position(|place| used(place) && place.key == key);
        let free = || self.places.iter().position(|place| !used(place) || place.count == 0 && now - place.told > LINE);
        let Some(at) = own.or_else(free) else { return false };
        let place = &mut self.places[at];
        if own.is_none() {
            (place.key, place.count, place.told) = (key, 0, 0);
        }
        if place.count == 0 {
            place.since = now;
        }
        (place.count, place.until) = (place.count + 1, now);
        true
    }

    /// One of this database's that the journal is due a line of, which is counted anew from now on.
    pub fn take(&mut self, database: u32, now: i64) -> Option<Refused> {
        let due = |place: &&mut Refused| {
            place.count > 0 && place.key.database == database && (place.told == 0 || now - place.told >= LINE)
        };
        let place = self.places.iter_mut().find(due)?;
        let taken = *place;
        (place.count, place.told) = (0, now.max(1));
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn empty() -> Box<Refusals> {
        let key = key(0);
        let place = Refused { key, count: 0, since: 0, until: 0, told: 0 };
        Box::new(Refusals { places: [place; PLACES] })
    }

    fn key(role: u32) -> RefusedKey {
        RefusedKey::new(1, role, Refusal::NoTenant, "acme".parse().ok().as_ref())
    }

    #[test]
    fn a_line_tells_of_all_since_the_last() {
        let mut refusals = empty();
        assert!((0..3).all(|second| refusals.count(key(1), NOW + second)));
        assert!(refusals.take(2, NOW).is_none(), "another database's");
        let taken = refusals.take(1, NOW + 3).expect("a line");
        assert_eq!((taken.count, taken.since, taken.until), (3, NOW, NOW + 2));
        assert_eq!((taken.key.refusal(), taken.key.tenant()), (Refusal::NoTenant, Some("acme")));
        assert!(refusals.count(key(1), NOW + 4) && refusals.take(1, NOW + 4).is_none(), "too early");
        assert_eq!(refusals.take(1, NOW + 63).map(|taken| taken.count), Some(1));
        assert!(refusals.take(1, NOW + 200).is_none());
    }

    #[test]
    fn a_full_table_keeps_what_it_has() {
        let mut refusals = empty();
        assert!((0..PLACES as u32).all(|role| refusals.count(key(role), NOW)));
        assert!(!refusals.count(key(u32::MAX), NOW) && refusals.count(key(7), NOW));
        assert_eq!(refusals.take(1, NOW + 1).map(|taken| taken.key.role), Some(0));
        assert!(!refusals.count(key(u32::MAX), NOW + 2) && refusals.count(key(u32::MAX), NOW + 100), "once it is told");
    }
}
