//! What changed, for those who wait for it in this process. It is a hint: whoever hears nothing reads the same a little later.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// The most orders that are told one by one: beyond that, all of them are looked at.
const ORDERS_MAX: usize = 4_096;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Stirs {
    carrier: Notify,
    orders: Mutex<Orders>,
    watched: Mutex<HashMap<String, watch::Sender<()>>>,
}

/// Orders that something came of.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) these: BTreeSet<String>,
    /// Too many to tell, or what is believed is another.
    pub(crate) is_all: bool,
}

impl Stirs {
    /// Mailboxes have to be filled anew.
    pub(crate) fn mailboxes(&self) {
        self.carrier.notify_one();
    }

    /// Something came of an order.
    pub(crate) fn order(&self, order: &str) {
        let mut orders = lock(&self.orders);
        match orders.these.len() < ORDERS_MAX {
            true => drop(orders.these.insert(order.to_owned())),
            false => orders.is_all = true,
        }
        drop(orders);
        self.tell_watchers(order);
        self.carrier.notify_one();
    }

    /// The same, for those who watch it.
    pub(crate) fn tell_watchers(&self, order: &str) {
        if let Some(bell) = lock(&self.watched).get(order) {
            bell.send_replace(());
        }
    }

    /// Every order has to be looked at.
    pub(crate) fn all_orders(&self) {
        lock(&self.orders).is_all = true;
        self.carrier.notify_one();
    }

    /// Those since the last time.
    pub(crate) fn take_orders(&self) -> Orders {
        std::mem::take(&mut *lock(&self.orders))
    }

    /// Until something is to be done.
    pub(crate) async fn stirred(&self) {
        self.carrier.notified().await;
    }

    /// Listens to what comes of an order.
    pub(crate) fn watch(&self, order: &str) -> Watching<'_> {
        let mut watched = lock(&self.watched);
        let bell = watched.entry(order.to_owned()).or_insert_with(|| watch::Sender::new(()));
        Watching { stirs: self, order: order.to_owned(), heard: bell.subscribe() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who listens, until they go.
#[derive(Debug)]
pub(crate) struct Watching<'a> {
    stirs: &'a Stirs,
    order: String,
    heard: watch::Receiver<()>,
}

impl Watching<'_> {
    /// Until something came of it since the last time.
    pub(crate) async fn changed(&mut self) {
        // The bell hangs as long as somebody listens.
        let _ = self.heard.changed().await;
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut watched = lock(&self.stirs.watched);
        // These ears still count.
        if watched.get(&self.order).is_some_and(|bell| bell.receiver_count() <= 1) {
            watched.remove(&self.order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_hears_of_their_order_and_nothing_hangs_after_them() {
        let stirs = Stirs::default();
        let (mut one, other) = (stirs.watch("one"), stirs.watch("other"));
        stirs.order("one");
        one.changed().await;
        assert!(!other.heard.has_changed().unwrap());
        drop((one, other));
        assert!(lock(&stirs.watched).is_empty());
        stirs.stirred().await;
        assert_eq!(stirs.take_orders().these.into_iter().collect::<Vec<_>>(), ["one"]);
        (0..=ORDERS_MAX).for_each(|at| stirs.order(&at.to_string()));
        let orders = stirs.take_orders();
        assert!(orders.is_all && orders.these.len() == ORDERS_MAX && !stirs.take_orders().is_all);
    }
}
