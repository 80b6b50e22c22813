//! Somebody is told: what is sent, how often, and what a device that says too much uses up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bus::{Device, Exchange as _, Message, Spool};
use serde_json::json;

use super::{NOW_MS, World, asker, key};
use crate::db::{Notification, NotificationState, Page, Telling};
use crate::{Budgets, Notifier, Post, Sent, Ways};

/// Ways that keep what they are to tell, and refuse the first so many.
#[derive(Clone, Default)]
struct Hook {
    told: Arc<Mutex<Vec<Telling>>>,
    refuses: Arc<AtomicUsize>,
}

impl Hook {
    fn told(&self) -> Vec<Telling> {
        self.told.lock().unwrap().clone()
    }
}

#[async_trait]
impl Ways for Hook {
    async fn tell(&self, it: &Telling, _: Duration) -> Sent {
        if it.audience == "nobody" {
            return Sent::Never("no route `nobody`".to_owned());
        }
        if it.audience != "well"
            && self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1)).is_ok()
        {
            return Sent::Later { problem: "busy".to_owned(), retry_after_ms: None };
        }
        self.told.lock().unwrap().push(it.clone());
        Sent::Delivered
    }
}

struct Bench {
    world: World,
    post: Post,
    hook: Hook,
    budgets: Budgets,
}

impl Bench {
    async fn new(budgets: Budgets) -> Self {
        let world = World::new().await;
        let post = Post::new(Arc::clone(&world.hub));
        Self { world, post, hook: Hook::default(), budgets }
    }

    async fn say(&self, device: &str, number: u64, action: &str, audience: &str) {
        let message = json!({ "number": 77, "action": action, "events": [] });
        let body = json!({
            "key": format!("{audience}/{number}/{NOW_MS}"), "body": "the disk is full", "audience": audience, "source": "web-1",
            "message": message,
        });
        let message = Message {
            spool: Spool(1),
            sequence: number,
            kind: "notification".parse().unwrap(),
            body: body.to_string().into_bytes().into(),
        };
        self.post.deliver(&Device::of(&key(device)), vec![message]).await.unwrap();
    }

    /// A hub that was just started sends what there is.
    async fn step(&self, now_ms: u64) -> Option<u64> {
        let ways = Box::new(self.hook.clone());
        Notifier::new(Arc::clone(&self.world.hub), ways, self.budgets).step(now_ms).await.unwrap()
    }

    fn listed(&self, client: &str) -> Vec<Notification> {
        let scope = asker("x", &[client]).scope;
        self.world.hub.db.read(&scope, |view| view.notifications(&Page::default())).unwrap().items
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_says_is_sent_once_in_its_own_name_also_over_starts() {
    let bench = Bench::new(Budgets::default()).await;
    bench.say("web", 1, "trigger", "on-call").await;
    bench.say("web", 1, "trigger", "on-call").await;
    assert_eq!(bench.step(NOW_MS).await, None);
    assert_eq!(bench.step(NOW_MS + 1_000_000).await, None, "nothing is sent twice");
    let told = bench.hook.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let web = crate::device_id(&key("web"));
    assert_eq!((&told[0].device, told[0].client.as_str(), told[0].source.as_str()), (&web, "acme", "web-1"));
    let all = bench.listed("acme");
    assert_eq!((all.len(), all[0].state, all[0].tries), (1, NotificationState::Sent, 1));
    assert!(bench.listed("globex").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_later_and_later_with_one_id_and_an_end_never_comes_first() {
    let bench = Bench::new(Budgets::default()).await;
    bench.hook.refuses.store(2, Ordering::SeqCst);
    bench.say("web", 1, "trigger", "on-call").await;
    bench.say("web", 2, "resolve", "on-call").await;
    assert_eq!(bench.step(NOW_MS).await, Some(NOW_MS + 30_000), "the end waits for its beginning");
    assert_eq!(bench.hook.told().len(), 0);
    assert_eq!(bench.listed("acme")[0].tries, 1);
    bench.step(NOW_MS + 29_000).await;
    assert_eq!(bench.listed("acme")[0].tries, 1, "not before 30 s");
    bench.step(NOW_MS + 30_000).await;
    assert_eq!((bench.listed("acme")[0].tries, bench.hook.told().len()), (2, 0));
    bench.step(NOW_MS + 90_000).await;
    let told = bench.hook.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].message.contains("trigger") && told[1].message.contains("resolve"), "{told:?}");
    // What nobody takes for a day is no news.
    bench.say("web", 3, "trigger", "on-call").await;
    bench.hook.refuses.store(usize::MAX, Ordering::SeqCst);
    bench.step(NOW_MS + 25 * 3_600_000).await;
    assert_eq!(bench.listed("acme")[2].state, NotificationState::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_says_too_much_uses_up_its_own_budget() {
    let bench = Bench::new(Budgets { device_per_hour_max: 3, ..Budgets::default() }).await;
    for number in 1..=5 {
        bench.say("web", number, "trigger", "on-call").await;
    }
    bench.say("db", 1, "trigger", "on-call").await;
    bench.step(NOW_MS).await;
    assert_eq!(bench.hook.told().len(), 4, "three of one, and the one of the other");
    let left_out =
        |client: &str| bench.listed(client).iter().filter(|it| it.state == NotificationState::LeftOut).count();
    assert_eq!((left_out("acme"), left_out("globex")), (2, 0));
    // An hour later it may again.
    bench.world.clock.advance(3_700_000);
    bench.say("web", 6, "trigger", "on-call").await;
    bench.step(NOW_MS + 3_700_000).await;
    assert_eq!(bench.hook.told().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_hub_has_no_route_for_is_told_nothing_and_that_is_shown() {
    let bench = Bench::new(Budgets::default()).await;
    bench.say("web", 1, "trigger", "nobody").await;
    bench.step(NOW_MS).await;
    let all = bench.listed("acme");
    assert_eq!(all[0].state, NotificationState::Failed);
    assert!(all[0].problem.contains("no route `nobody`"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hub_died_over_is_sent_again_with_the_same_id() {
    let bench = Bench::new(Budgets::default()).await;
    bench.say("web", 1, "trigger", "on-call").await;
    // It had begun to send, and nobody noted how that went.
    let hub = &bench.world.hub;
    let due = hub.db.read(&crate::Scope::of_hub(), |view| view.due_notifications(NOW_MS, 10)).unwrap();
    let taken = due[0].clone();
    let claim = move |change: &crate::db::Change<'_>| {
        change.claim_notification(&taken, Budgets::default(), NOW_MS, NOW_MS + 400_000)
    };
    assert!(hub.db.write(claim).await.unwrap());
    assert_eq!(bench.step(NOW_MS + 1_000).await, Some(NOW_MS + 400_000), "whoever sends it may still be at it");
    bench.step(NOW_MS + 400_000).await;
    let told = bench.hook.told();
    assert_eq!(told.iter().map(|it| it.number).collect::<Vec<_>>(), [due[0].number]);
    assert_eq!(bench.step(NOW_MS + 900_000).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_nobody_reaches_keeps_nobody_else_waiting() {
    let bench = Bench::new(Budgets { device_per_hour_max: 1_000, ..Budgets::default() }).await;
    bench.hook.refuses.store(usize::MAX, Ordering::SeqCst);
    // More than are looked at together, each for other people whom nobody reaches.
    for number in 1..=40 {
        bench.say("web", number, "trigger", &format!("gone-{number}")).await;
    }
    bench.say("db", 1, "trigger", "well").await;
    assert_eq!(bench.step(NOW_MS).await, Some(NOW_MS + 30_000));
    assert_eq!(bench.hook.told().len(), 1);
    // And several that wait for the same: one try tells of all of them.
    bench.say("web", 41, "trigger", "gone-1").await;
    bench.say("db", 2, "trigger", "gone-1").await;
    bench.step(NOW_MS + 30_000).await;
    let tries = |client: &str| bench.listed(client).iter().map(|it| it.tries).sum::<u64>();
    assert_eq!((tries("acme"), tries("globex")), (80, 2));
}
