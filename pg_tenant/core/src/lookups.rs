//! How often each login role has looked tenants up by each key: what is too often in a minute, and when the journal is
//! due a line. In shared memory: a table of fixed size, of which all zeros is an empty one.

/// Places for so many keys, of roles and declarations together.
const PLACES: usize = 1024;
const MINUTE: i64 = 60;
/// The journal has at most one line in so many seconds, of one key.
const LINE: i64 = 3600;

/// Who looks up, and by what: oids, and a column's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct LookupKey {
    pub database: u32,
    pub role: u32,
    pub relation: u32,
    pub column: u32,
}

/// What has come together since the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When that was, in seconds since 1970; of the first line, now.
    pub since: i64,
    /// Lookups that were answered, this one among them.
    pub lookups: u64,
    /// Lookups that were too many.
    pub refused: u64,
}

/// What becomes of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is answered, and a line is due or not.
    Passed(Option<Due>),
    /// It is one too many in this minute.
    TooMany,
    /// There is no place to count it in.
    NoPlace,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Place {
    key: LookupKey,
    /// Of which there were `in_minute`, in minutes since 1970; 0 in a place that nobody has.
    minute: i64,
    in_minute: u64,
    /// 0 before the first line.
    since: i64,
    lookups: u64,
    refused: u64,
}

/// The table.
#[repr(C)]
pub struct Lookups {
    places: [Place; PLACES],
}

impl Lookups {
    /// Counts a lookup, at this second since 1970, of which there may be so many in a minute of the clock. No limit is
    /// `None`.
    pub fn count(&mut self, key: LookupKey, now: i64, most: Option<u64>) -> Counted {
        let minute = now / MINUTE;
        let Some(place) = self.place(key, minute) else { return Counted::NoPlace };
        if place.minute != minute {
            (place.minute, place.in_minute) = (minute, 0);
        }
        if most.is_some_and(|most| place.in_minute >= most) {
            place.refused += 1;
            return Counted::TooMany;
        }
        place.in_minute += 1;
        place.lookups += 1;
        if place.since != 0 && (place.since..place.since + LINE).contains(&now) {
            return Counted::Passed(None);
        }
        let since = if place.since == 0 { now } else { place.since };
        let due = Due { since, lookups: place.lookups, refused: place.refused };
        (place.since, place.lookups, place.refused) = (now, 0, 0);
        Counted::Passed(Some(due))
    }

    /// The place of this key: the one it has, a free one, or one that nobody has used for as long as a line takes.
    fn place(&mut self, key: LookupKey, minute: i64) -> Option<&mut Place> {
        let used = |place: &Place| place.minute != 0;
        let own = self.places.iter().position(|place| used(place) && place.key == key);
        let at = own.or_else(|| {
            let at = self.places.iter().position(|place| !used(place) || minute - place.minute > LINE / MINUTE)?;
            self.places[at] = Place { key, minute, in_minute: 0, since: 0, lookups: 0, refused: 0 };
            Some(at)
        })?;
        self.places.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn empty() -> Box<Lookups> {
        let key = key(0);
        let place = Place { key, minute: 0, in_minute: 0, since: 0, lookups: 0, refused: 0 };
        Box::new(Lookups { places: [place; PLACES] })
    }

    fn key(role: u32) -> LookupKey {
        LookupKey { database: 1, role, relation: 3, column: 4 }
    }

    #[test]
    fn more_than_the_limit_pass() {
        let mut lookups = empty();
        let pass = |counted| matches!(counted, Counted::Passed(_));
        assert!((0..3).all(|second| pass(lookups.count(key(1), NOW + second, Some(3)))));
        assert_eq!(lookups.count(key(1), NOW + 59, Some(3)), Counted::TooMany);
        // Others have a count of their own, and the next minute is another one.
        assert!(pass(lookups.count(key(2), NOW + 59, Some(3))));
        assert!(pass(lookups.count(key(1), NOW + 60, Some(3))));
        assert!((0..1000).all(|_| pass(lookups.count(key(1), NOW + 61, None))));
        assert_eq!(lookups.count(key(3), NOW, Some(0)), Counted::TooMany);
    }

    #[test]
    fn a_line_leaves_lookups_out() {
        let mut lookups = empty();
        let due = |since, lookups, refused| Counted::Passed(Some(Due { since, lookups, refused }));
        assert_eq!(lookups.count(key(1), NOW, Some(2)), due(NOW, 1, 0));
        assert_eq!(lookups.count(key(1), NOW + 1, Some(2)), Counted::Passed(None));
        assert_eq!(lookups.count(key(1), NOW + 2, Some(2)), Counted::TooMany);
        assert_eq!(lookups.count(key(1), NOW + 3599, Some(2)), Counted::Passed(None));
        assert_eq!(lookups.count(key(1), NOW + 3600, Some(2)), due(NOW, 3, 1));
        assert_eq!(lookups.count(key(1), NOW + 3601, Some(2)), Counted::Passed(None));
        // The clock was set back.
        assert_eq!(lookups.count(key(1), NOW, Some(2)), due(NOW + 3600, 2, 0));
    }

    #[test]
    fn a_full_table_counts_nothing() {
        let mut lookups = empty();
        let places = u32::try_from(PLACES).expect("a number of places");
        assert!((1..=places).all(|role| lookups.count(key(role), NOW, Some(1)) != Counted::NoPlace));
        assert_eq!(lookups.count(key(places + 1), NOW + 3600, Some(1)), Counted::NoPlace);
        assert_eq!(lookups.count(key(1), NOW, Some(1)), Counted::TooMany);
        // Whoever is idle makes room.
        assert!(matches!(lookups.count(key(places + 1), NOW + 3720, Some(1)), Counted::Passed(Some(_))));
    }
}
