//! The bound on the bytes of all bodies in memory. Only bytes that have arrived count: a large announced length takes
//! nothing away. One address has a share, and addresses that have sent a genuine webhook lately come first.
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, time::Instant};

/// Bounds how long a body waits for memory, in all: GitHub gives up after ten seconds.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds the bodies of each standing that wait for memory: the connections of those hold what they have received.
const MAX_WAITING_BODIES: usize = 64;

/// Whether a genuine webhook has come from an address lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It has. It may take all memory, half of it for one address.
    Proven,
    /// It has not. All of those may take half of the memory, a quarter for one address; and one body in any case.
    Unproven,
}

/// The bound, and what is taken of it; a clone is the same budget.
#[derive(Clone, Debug)]
pub(super) struct MemoryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    max_bytes: usize,
    /// What an address may take however small its share is: one body.
    min_share_bytes: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default, Debug)]
struct Taken {
    bytes: usize,
    unproven_bytes: usize,
    by_address: HashMap<IpAddr, usize>,
    /// The proven and the unproven bodies that wait.
    waiting: [usize; 2],
    /// The proven bodies among them that wait for others, not for their own address.
    waiting_for_others: usize,
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryShare {
    budget: MemoryBudget,
    address: IpAddr,
    standing: Standing,
    bytes: usize,
    /// When it is no longer worth waiting for memory; set when it waits first.
    give_up: Option<Instant>,
}

/// The budget is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OutOfBudget;

/// Why bytes cannot be taken now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lack {
    /// The address has its share.
    OwnShare,
    /// Others have it all.
    Others,
}

impl MemoryBudget {
    /// All bodies may take `max_bytes`. Each address may take `min_share_bytes` of them, if its share is less.
    pub(super) fn new(max_bytes: usize, min_share_bytes: usize) -> Self {
        Self(Arc::new(Budget {
            max_bytes,
            min_share_bytes,
            taken: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Returns a share of zero bytes for a body from there.
    pub(super) fn share(&self, address: IpAddr, standing: Standing) -> MemoryShare {
        MemoryShare {
            budget: self.clone(),
            address,
            standing,
            bytes: 0,
            give_up: None,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock()
    }
}

impl Taken {
    fn lack(&self, bytes: usize, share: &MemoryShare, budget: &Budget) -> Option<Lack> {
        let max_bytes = budget.max_bytes;
        let at_least_one = |bytes: usize| bytes.max(budget.min_share_bytes);
        let own = self.by_address.get(&share.address).copied().unwrap_or(0) + bytes;
        let all = self.bytes + bytes;
        let unproven = self.unproven_bytes + bytes;
        let (own_max, is_others) = match share.standing {
            Standing::Proven => (at_least_one(max_bytes / 2), all > max_bytes),
            Standing::Unproven => (
                at_least_one(max_bytes / 4),
                all > max_bytes
                    || unproven > at_least_one(max_bytes / 2)
                    || self.waiting_for_others > 0,
            ),
        };
        if own > own_max {
            Some(Lack::OwnShare)
        } else {
            is_others.then_some(Lack::Others)
        }
    }

    fn take(&mut self, bytes: usize, share: &MemoryShare) {
        self.bytes += bytes;
        *self.by_address.entry(share.address).or_default() += bytes;
        if share.standing == Standing::Unproven {
            self.unproven_bytes += bytes;
        }
    }

    fn give_back(&mut self, share: &MemoryShare) {
        self.bytes -= share.bytes;
        if share.standing == Standing::Unproven {
            self.unproven_bytes -= share.bytes;
        }
        if let Some(own) = self.by_address.get_mut(&share.address) {
            *own -= share.bytes;
            if *own == 0 {
                self.by_address.remove(&share.address);
            }
        }
    }
}

impl MemoryShare {
    /// Takes more bytes, and waits for them if it must. Returns whether it waited.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<bool, OutOfBudget> {
        let lack = {
            let mut taken = self.budget.taken();
            let lack = taken.lack(bytes, self, &self.budget.0);
            if lack.is_none() {
                taken.take(bytes, self);
            }
            lack
        };
        match lack {
            None => {
                self.bytes += bytes;
                Ok(false)
            }
            Some(lack) => self.wait(bytes, lack).await.map(|()| true),
        }
    }

    async fn wait(&mut self, bytes: usize, lack: Lack) -> Result<(), OutOfBudget> {
        let budget = self.budget.clone();
        let give_up = *self
            .give_up
            .get_or_insert_with(|| Instant::now() + MEMORY_TIMEOUT);
        let mut place = WaitingPlace::new(&budget, self.standing, lack)?;
        loop {
            let mut freed = std::pin::pin!(budget.0.freed.notified());
            freed.as_mut().enable();
            {
                let mut taken = budget.taken();
                place.leave(&mut taken);
                match taken.lack(bytes, self, &budget.0) {
                    None => {
                        taken.take(bytes, self);
                        self.bytes += bytes;
                        return Ok(());
                    }
                    Some(lack) => place.enter(&mut taken, lack),
                }
            }
            let in_time = tokio::time::timeout_at(give_up, freed).await;
            in_time.map_err(|_| OutOfBudget)?;
        }
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let is_awaited = {
            let mut taken = self.budget.taken();
            taken.give_back(self);
            taken.waiting != [0, 0]
        };
        if is_awaited {
            self.budget.0.freed.notify_waiters();
        }
    }
}

/// A body that waits; given up when it is dropped.
struct WaitingPlace<'a> {
    budget: &'a MemoryBudget,
    standing: Standing,
    /// None: it does not wait now.
    lack: Option<Lack>,
}

impl<'a> WaitingPlace<'a> {
    fn new(budget: &'a MemoryBudget, standing: Standing, lack: Lack) -> Result<Self, OutOfBudget> {
        let mut place = Self {
            budget,
            standing,
            lack: None,
        };
        let mut taken = budget.taken();
        if taken.waiting[standing as usize] >= MAX_WAITING_BODIES {
            return Err(OutOfBudget);
        }
        place.enter(&mut taken, lack);
        Ok(place)
    }

    fn enter(&mut self, taken: &mut Taken, lack: Lack) {
        taken.waiting[self.standing as usize] += 1;
        if (self.standing, lack) == (Standing::Proven, Lack::Others) {
            taken.waiting_for_others += 1;
        }
        self.lack = Some(lack);
    }

    fn leave(&mut self, taken: &mut Taken) {
        let Some(lack) = self.lack.take() else {
            return;
        };
        taken.waiting[self.standing as usize] -= 1;
        if (self.standing, lack) == (Standing::Proven, Lack::Others) {
            taken.waiting_for_others -= 1;
        }
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        if self.lack.is_none() {
            return;
        }
        self.leave(&mut self.budget.taken());
        // Whoever waited behind it may go on.
        self.budget.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    /// Whether so many bytes are there at once.
    async fn takes(share: &mut MemoryShare, bytes: usize) -> bool {
        let grown = tokio::time::timeout(Duration::ZERO, share.grow(bytes)).await;
        matches!(grown, Ok(Ok(_)))
    }

    #[tokio::test]
    async fn an_address_has_a_share_and_unproven_ones_have_half() {
        let budget = MemoryBudget::new(16, 1);
        let mut shares: Vec<_> = (0..3)
            .map(|n| budget.share(address(n), Standing::Unproven))
            .collect();
        assert!(takes(&mut shares[0], 4).await);
        assert!(!takes(&mut budget.share(address(0), Standing::Unproven), 1).await);
        assert!(takes(&mut shares[1], 4).await);
        assert!(!takes(&mut shares[2], 1).await);
        let mut proven = budget.share(address(3), Standing::Proven);
        assert!(takes(&mut proven, 8).await);
        assert!(!takes(&mut proven, 1).await);
        shares.clear();
        drop(proven);
        assert_eq!(budget.taken().bytes, 0);
        assert!(budget.taken().by_address.is_empty());
        assert_eq!(budget.taken().waiting, [0, 0]);
        assert!(takes(&mut budget.share(address(1), Standing::Proven), 8).await);
    }

    #[tokio::test]
    async fn one_body_fits_into_the_smallest_share() {
        let budget = MemoryBudget::new(16, 10);
        let mut first = budget.share(address(1), Standing::Unproven);
        assert!(takes(&mut first, 10).await);
        assert!(!takes(&mut first, 1).await);
        let mut second = budget.share(address(2), Standing::Unproven);
        assert!(!takes(&mut second, 1).await);
        drop(first);
        assert!(takes(&mut second, 10).await);
        let mut proven = budget.share(address(3), Standing::Proven);
        assert!(takes(&mut proven, 6).await);
        assert!(!takes(&mut proven, 1).await);
    }

    #[tokio::test]
    async fn the_unproven_wait_behind_the_proven() {
        let budget = MemoryBudget::new(16, 1);
        let (mut one, mut two) = (
            budget.share(address(1), Standing::Proven),
            budget.share(address(2), Standing::Proven),
        );
        assert!(takes(&mut one, 8).await);
        assert!(takes(&mut two, 8).await);
        let mut stranger = budget.share(address(3), Standing::Unproven);
        let mut proven = budget.share(address(4), Standing::Proven);
        let strange = tokio::spawn(async move { stranger.grow(4).await.map(|_| stranger) });
        let known = tokio::spawn(async move { proven.grow(8).await.map(|_| proven) });
        tokio::task::yield_now().await;
        drop(two);
        let held = known.await.unwrap().expect("memory for the proven");
        assert!(!strange.is_finished());
        drop(held);
        strange.await.unwrap().expect("then for the stranger");
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_is_worth_it_and_only_so_many_wait() {
        let budget = MemoryBudget::new(16, 1);
        let mut first = budget.share(address(1), Standing::Unproven);
        assert!(takes(&mut first, 4).await);
        let one_more = || {
            let mut share = budget.share(address(1), Standing::Unproven);
            async move { share.grow(1).await }
        };
        let waiting: Vec<_> = (0..MAX_WAITING_BODIES)
            .map(|_| tokio::spawn(one_more()))
            .collect();
        while budget.taken().waiting != [0, MAX_WAITING_BODIES] {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert_eq!(one_more().await, Err(OutOfBudget));
        assert!(started.elapsed() < MEMORY_TIMEOUT / 2);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Err(OutOfBudget));
        }
        assert!(started.elapsed() + Duration::from_secs(1) > MEMORY_TIMEOUT);
        assert_eq!(budget.taken().waiting, [0, 0]);
    }
}
