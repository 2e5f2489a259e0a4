//! The queue against a model that looks at everything for each decision.

use proptest::prelude::*;

use super::Share;
use super::queue::Queue;

/// What a caller may do, to one of a few shares.
#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    /// The n-th of those who wait leaves.
    Leave(usize),
    /// The n-th of what is lent comes back.
    Return(usize),
    /// The n-th of what is lent leaves the pool, and is still worked on.
    Free(usize),
    Rename(usize, u8),
    Allow(u8, usize),
}

#[derive(Clone, Copy)]
struct Loan {
    share: u8,
    place: bool,
}

/// A list of loans and one of waiting calls, and the rule: a free connection goes to the share with the fewest loans,
/// then to the one whose last change is longest ago, and there to the call that came first.
struct Model {
    capacity: usize,
    loans: Vec<Loan>,
    waiting: Vec<(u8, u64)>,
    allowed: [usize; SHARES as usize],
    /// When a share that has or waits for something last began to wait from nothing, got a connection or gave one
    /// back.
    turn: [u64; SHARES as usize],
    clock: u64,
}

const SHARES: u8 = 4;

impl Model {
    fn held(&self, share: u8) -> usize {
        self.loans.iter().filter(|loan| loan.share == share).count()
    }

    fn places(&self) -> usize {
        self.loans.iter().filter(|loan| loan.place).count()
    }

    fn touch(&mut self, share: u8) {
        self.clock += 1;
        self.turn[usize::from(share)] = self.clock;
    }

    fn lend(&mut self, share: u8) {
        self.loans.push(Loan { share, place: true });
        self.touch(share);
    }

    fn may_have(&self, share: u8) -> bool {
        self.held(share) < self.allowed[usize::from(share)]
    }

    fn serve(&mut self) -> Vec<u64> {
        let mut served = Vec::new();
        while self.places() < self.capacity {
            let next = self.waiting.iter().filter(|(share, _)| self.may_have(*share));
            let Some(&(share, call)) =
                next.min_by_key(|(share, call)| (self.held(*share), self.turn[usize::from(*share)], *call))
            else {
                break;
            };
            self.waiting.retain(|&(_, other)| other != call);
            self.lend(share);
            served.push(call);
        }
        served
    }
}

fn share(n: u8) -> Share {
    match n {
        0 => Share::NoTenant,
        1 => Share::Unnamed,
        n => Share::Tenant(format!("t{n}").parse().unwrap()),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..SHARES).prop_map(Step::Ask),
        1 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::Return),
        1 => any::<usize>().prop_map(Step::Free),
        1 => (any::<usize>(), 0..SHARES).prop_map(|(n, to)| Step::Rename(n, to)),
        1 => (0..SHARES, 0..4usize).prop_map(|(n, allowed)| Step::Allow(n, allowed)),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn lends_as_the_model_does(capacity in 1..5usize, steps in steps()) {
        let mut queue: Queue<u64> = Queue::new(capacity);
        let mut model = Model {
            capacity, loans: Vec::new(), waiting: Vec::new(),
            allowed: [2, usize::MAX, 1, 3], turn: [0; SHARES as usize], clock: 0,
        };
        // Which number the queue gave each waiting call of the model.
        let mut numbers = std::collections::HashMap::new();
        for step in steps {
            match step {
                Step::Ask(n) => {
                    let allowed = model.allowed[usize::from(n)];
                    let has_waiting = model.waiting.iter().any(|(share, _)| *share == n);
                    let free = model.places() < capacity && model.may_have(n) && !has_waiting;
                    prop_assert_eq!(queue.take(share(n), allowed), free);
                    if free {
                        model.lend(n);
                    } else {
                        if !has_waiting && model.held(n) == 0 {
                            model.touch(n);
                        }
                        model.clock += 1;
                        let call = model.clock;
                        model.waiting.push((n, call));
                        numbers.insert(call, queue.wait(share(n), allowed, call));
                    }
                }
                Step::Leave(n) => {
                    let Some((who, call)) = pick(&mut model.waiting, n) else { continue };
                    prop_assert!(queue.leave(share(who), numbers[&call]));
                }
                Step::Return(n) => {
                    let Some(loan) = pick(&mut model.loans, n) else { continue };
                    if loan.place {
                        queue.free();
                    }
                    queue.give_back(share(loan.share));
                    model.touch(loan.share);
                }
                Step::Free(n) => {
                    let length = model.loans.len().max(1);
                    let Some(loan) = model.loans.get_mut(n % length).filter(|loan| loan.place) else { continue };
                    loan.place = false;
                    queue.free();
                }
                Step::Rename(n, to) => {
                    let length = model.loans.len().max(1);
                    let Some(loan) = model.loans.get_mut(n % length) else { continue };
                    let from = std::mem::replace(&mut loan.share, to);
                    queue.rename(share(from), share(to), model.allowed[usize::from(to)]);
                    model.touch(from);
                    model.touch(to);
                }
                Step::Allow(n, allowed) => {
                    model.allowed[usize::from(n)] = allowed;
                    queue.allow(share(n), allowed);
                }
            }
            prop_assert_eq!(queue.serve(), model.serve());

            prop_assert_eq!(queue.lent(), model.places());
            prop_assert!(queue.lent() <= capacity);
            for n in 0..SHARES {
                prop_assert_eq!(queue.held(share(n)), model.held(n));
                let waiting = model.waiting.iter().filter(|(who, _)| *who == n).count();
                prop_assert_eq!(queue.waiting(share(n)), waiting);
                prop_assert!(waiting == 0 || queue.lent() == capacity || !model.may_have(n), "free, and {n} waits");
            }
            let known = (0..SHARES).filter(|&n| queue.held(share(n)) + queue.waiting(share(n)) > 0).count();
            prop_assert_eq!(queue.shares().len(), known, "who has nothing and waits for nothing is forgotten");
        }
    }
}

fn pick<T>(list: &mut Vec<T>, n: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(n % list.len()))
}

/// One tenant with sixty-four calls beside fifty with one: the fifty are served as if it had one call too.
#[test]
fn a_greedy_holder_stands_before_nobody() {
    let mut queue: Queue<u32> = Queue::new(16);
    let (greedy, all) = (share(2), usize::MAX);
    let mut lent: std::collections::VecDeque<Share> = std::collections::VecDeque::new();
    for call in 0..64 {
        if queue.take(greedy, all) {
            lent.push_back(greedy);
        } else {
            queue.wait(greedy, all, call);
        }
    }
    assert_eq!(lent.len(), 16, "alone it has the whole pool");
    for victim in 10..60u8 {
        assert!(!queue.take(share(victim), all));
        queue.wait(share(victim), all, u32::from(victim) + 1000);
    }
    let mut served = Vec::new();
    while served.len() < 50 + 16 {
        queue.free();
        queue.give_back(lent.pop_front().unwrap());
        for call in queue.serve() {
            lent.push_back(if call >= 1000 { share((call - 1000) as u8) } else { greedy });
            served.push(call);
        }
    }
    let last = served.iter().rposition(|&call| call >= 1000).unwrap();
    assert!(last <= 50, "the last of the fifty was served after {last} others");
}
