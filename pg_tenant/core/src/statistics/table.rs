//! Which slot is whose.

use crate::statistics::counters::{Counters, Slot};
use crate::statistics::{Key, Small};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many places a key may stand in, beginning with the one that it leads to.
const WINDOW: usize = 64;
/// Who was not seen for so many seconds leaves where somebody else has no place.
const IDLE: u32 = 60;
/// The key of a place that was given up.
const NOBODY: u64 = 1;

/// Where somebody is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a slot of its own.
    Own(usize),
    /// With all others that have none.
    Others,
}

/// The slots, and the keys of those who have them: 0 is nobody.
///
/// A slot is claimed by writing its key, in one exchange; no process waits for another. Who adds checks the key just
/// before: what is added in the very moment in which a slot is given away, a minute after it was last used, counts for
/// the new one. The sum over all slots is exact in any case.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// As many as slots.
    pub keys: &'a [AtomicU64],
    /// Those of tenants.
    pub slots: &'a [Slot],
    /// For whoever has no slot.
    pub others: &'a Slot,
}

impl Table<'_> {
    /// Where this key has its slot, if it has one.
    pub fn find(&self, key: Key) -> Option<usize> {
        self.window(key).find(|&place| self.keys[place].load(Relaxed) == key.get())
    }

    /// Where it has its slot from now on. `now` is in seconds.
    pub fn claim(&self, key: Key, now: u32) -> Place {
        // A place that was taken is never free again, so two processes that look for the same key meet at one place.
        for place in self.window(key) {
            let taken = match self.keys[place].load(Relaxed) {
                0 => self.keys[place].compare_exchange(0, key.get(), Relaxed, Relaxed),
                other => Err(other),
            };
            match taken {
                Ok(_) => {
                    self.slots[place].begin(now);
                    return Place::Own(place);
                }
                Err(other) if other == key.get() => return Place::Own(place),
                Err(_) => {}
            }
        }
        self.replace(key, now).map_or(Place::Others, Place::Own)
    }

    /// Takes the place of whoever was seen longest ago, where that is long enough.
    fn replace(&self, key: Key, now: u32) -> Option<usize> {
        let place = self.window(key).min_by_key(|&place| self.slots[place].last_seen())?;
        let before = self.keys[place].load(Relaxed);
        if self.slots[place].last_seen().saturating_add(IDLE) > now
            || self.keys[place].compare_exchange(before, key.get(), Relaxed, Relaxed).is_err()
        {
            return None;
        }
        self.others.add(&self.slots[place].take());
        self.slots[place].begin(now);
        // Another process may have done the same for the same key in another place: the first one in the window holds.
        let first = self.find(key)?;
        if first != place {
            self.keys[place].store(NOBODY, Relaxed);
            self.slots[first].add(&self.slots[place].take());
        }
        Some(first)
    }

    /// Adds to the slot where it is still this key's; else to that which the key has by now.
    pub fn add(&self, key: Key, place: Place, counters: &Counters) -> Place {
        let is_own = |place: usize| self.keys.get(place).is_some_and(|own| own.load(Relaxed) == key.get());
        let place = match place {
            Place::Own(place) if is_own(place) => Place::Own(place),
            _ => self.claim(key, counters.get_small(Small::LastSeen)),
        };
        match place {
            Place::Own(place) => self.slots[place].add(counters),
            Place::Others => self.others.add(counters),
        }
        place
    }

    /// Gives back what was there before a restart: before anybody counts.
    pub fn restore(&self, key: Key, counters: &Counters) {
        let (since, seen) = (counters.get_small(Small::Since), counters.get_small(Small::LastSeen));
        match self.claim(key, seen) {
            Place::Own(place) => {
                self.slots[place].add(counters);
                self.slots[place].begin_at(since, seen);
            }
            Place::Others => self.others.add(counters),
        }
    }

    /// Everybody who has a slot, and what stands in it.
    pub fn all(&self) -> Vec<(Key, Counters)> {
        let keys = self.keys.iter().map(|key| Key::new(key.load(Relaxed)));
        keys.zip(self.slots).filter_map(|(key, slot)| Some((key?, slot.read()))).collect()
    }

    fn window(&self, key: Key) -> impl Iterator<Item = usize> + use<> {
        let len = self.keys.len();
        let first = ((u128::from(key.get()) * len as u128) >> 64) as usize;
        (0..WINDOW.min(len)).map(move |step| (first + step) % len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Large, key};

    fn memory(len: usize) -> (Vec<AtomicU64>, Vec<Slot>, Slot) {
        ((0..len).map(|_| AtomicU64::new(0)).collect(), (0..len).map(|_| Slot::default()).collect(), Slot::default())
    }

    fn one(now: u32) -> Counters {
        let mut counters = Counters::ZERO;
        counters.add(Large::Commits, 1);
        counters.add_small(Small::LastSeen, now);
        counters
    }

    #[test]
    fn a_slot_is_160_bytes_with_its_key() {
        assert_eq!(size_of::<Slot>() + size_of::<AtomicU64>(), 160);
    }

    #[test]
    fn each_has_its_own_and_who_is_idle_leaves() {
        let (keys, slots, others) = memory(4);
        let table = Table { keys: &keys, slots: &slots, others: &others };
        let keys = ["a", "b", "c", "d", "e"].map(|name| key([0, 0], 1, 0, name.as_bytes()));
        for (n, &key) in keys[..4].iter().enumerate() {
            table.add(key, Place::Others, &one(100 + n as u32));
        }
        assert_eq!(table.add(keys[4], Place::Others, &one(110)), Place::Others, "all were seen within a minute");
        assert_eq!(others.read().get(Large::Commits), 1);
        let place = table.add(keys[4], Place::Others, &one(160));
        assert_eq!(place, Place::Own(table.find(keys[4]).expect("a slot")), "the one seen longest ago has left");
        assert_eq!(table.find(keys[0]), None);
        assert_eq!(others.read().get(Large::Commits), 2, "its numbers are with the others'");
        // Who comes back after that is told so by the key.
        assert_eq!(table.add(keys[0], place, &one(160)), Place::Others);
        let sum: u64 = slots.iter().chain([&others]).map(|slot| slot.read().get(Large::Commits)).sum();
        assert_eq!(sum, 7);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let (keys, slots, others) = memory(16);
        let table = Table { keys: &keys, slots: &slots, others: &others };
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                scope.spawn(move || {
                    for n in 0..20_000_u32 {
                        let name = (n.wrapping_mul(2_654_435_761) >> 27).to_le_bytes();
                        table.add(key([1, 2], thread, 0, &name), Place::Others, &one(n / 100 * 61));
                    }
                });
            }
        });
        let sum: u64 = slots.iter().chain([&others]).map(|slot| slot.read().get(Large::Commits)).sum();
        assert_eq!(sum, 80_000);
    }
}
