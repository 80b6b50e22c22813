//! What a line does when things come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::conformance::World as _;
use bus::{
    BEAT, Backoff, Beat, Line as _, Message, Presence, Pulled, Replacement, Retry, Spool, Taken, Trouble, Woken,
};
use model::Digest;

use crate::world::{Between, Embedded, RETIRED, device};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_outlives_its_hub() {
    let world = Embedded::new(Between::Nobody);
    let (device, dial) = (device(1), world.dial(1));
    let with = Replacement { device, expected: None, bytes: "one".into(), names: Vec::new() };
    world.exchange().replace(vec![with]).await.unwrap()[0].unwrap();
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::New("one".into())));
    let has = Some(Digest::of(b"one"));
    assert_eq!(dial.wait(has, Duration::from_millis(50)).await, Ok(Woken::Quiet));
    assert!(dial.has_socket());

    world.restart().await;
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(100));
    let (begun, mut failed) = (Instant::now(), 0);
    let woken = loop {
        match dial.wait(has, Duration::from_millis(50)).await {
            Ok(woken) => break woken,
            Err(trouble) => {
                failed += 1;
                assert!(begun.elapsed() < SOON && trouble.retry() == Retry::Backoff, "{trouble}");
                tokio::time::sleep(backoff.after(&trouble).unwrap()).await;
            }
        }
    };
    assert_eq!(woken, Woken::Quiet);
    assert!(failed >= 1, "the old socket is gone, and that is told");
    // The session of before is unknown to the hub of now; nobody who asks notices.
    assert_eq!(dial.mailbox(has).await, Ok(Pulled::Same));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_goes_over_the_socket_and_what_does_not_fit_by_itself() {
    let message = |sequence, bytes: usize| {
        let kind = "record".parse().unwrap();
        Message { spool: Spool(1), sequence, kind, body: vec![b'x'; bytes].into() }
    };
    for between in [Between::Nobody, Between::OnlySockets] {
        let is_open = between == Between::Nobody;
        let world = Embedded::new(between);
        let (device, exchange) = (device(1), world.exchange());
        let small = exchange.put_document("small".into()).await.unwrap();
        let large = exchange.put_document(vec![b'x'; 60 << 10].into()).await.unwrap();
        let names = vec![small, large];
        let with = Replacement { device, expected: None, bytes: "one".into(), names };
        exchange.replace(vec![with]).await.unwrap()[0].unwrap();
        let dial = world.dial(1);
        assert_eq!(dial.mailbox(None).await.is_ok(), is_open, "there is no socket yet: {between:?}");
        dial.wait(None, Duration::from_millis(1)).await.unwrap();
        assert!(dial.has_socket());
        assert_eq!(dial.mailbox(None).await, Ok(Pulled::New("one".into())));
        assert_eq!(dial.mailbox(Some(Digest::of(b"one"))).await, Ok(Pulled::Same));
        // What came beside it is not waited for with.
        let has = Some(Digest::of(b"one"));
        while dial.wait(has, Duration::from_millis(10)).await != Ok(Woken::Quiet) {}
        assert_eq!(dial.documents(&[small]).await.unwrap().documents, ["small"]);
        let (first, second) = ([message(1, 10)], [message(2, 4 << 10)]);
        let both = tokio::join!(dial.deliver(&first), dial.deliver(&second));
        assert_eq!((both.0.unwrap()[0].taken, both.1.unwrap()[0].taken), (Taken::New, Taken::New));
        assert_eq!(dial.deliver(&second).await.unwrap()[0].taken, Taken::Known);
        // What is too large for a socket goes another way, or none.
        assert_eq!(dial.deliver(&[message(3, 20 << 10)]).await.is_ok(), is_open, "{between:?}");
        assert_eq!(dial.documents(&[large]).await.is_ok(), is_open, "{between:?}");
        // And what fits goes on.
        assert_eq!(dial.mailbox(has).await, Ok(Pulled::Same));
        assert!(dial.has_socket());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_mailbox_names_comes_beside_it_and_is_had_until_the_next_wait() {
    let world = Embedded::new(Between::Nobody);
    let (device, exchange) = (device(1), world.exchange());
    let names = vec![
        exchange.put_document("first".into()).await.unwrap(),
        exchange.put_document("second".into()).await.unwrap(),
    ];
    let with = Replacement { device, expected: None, bytes: "one".into(), names: names.clone() };
    let revision = exchange.replace(vec![with]).await.unwrap()[0].unwrap();
    let dial = world.dial(1);
    assert!(matches!(dial.wait(None, SOON).await, Ok(Woken::Rung { .. })));
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::New("one".into())));
    let with = Replacement { device, expected: Some(revision), bytes: "one".into(), names: Vec::new() };
    exchange.replace(vec![with]).await.unwrap()[0].unwrap();
    assert_eq!(dial.documents(&names).await.unwrap().documents, ["first", "second"], "they are there already");
    dial.wait(Some(Digest::of(b"one")), Duration::from_millis(1)).await.unwrap();
    assert_eq!(dial.documents(&names).await.unwrap().missing, names, "and then they are asked for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_on_a_socket_that_ended_is_asked_by_itself() {
    let world = Embedded::new(Between::Nobody);
    let dial = world.dial(1);
    assert_eq!(dial.wait(None, Duration::from_millis(1)).await, Ok(Woken::Quiet));
    world.restart().await;
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::Empty), "whether or not the end was heard of by then");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_goes_over_the_socket_and_without_one_by_itself() {
    let world = Embedded::new(Between::Nobody);
    let beat = Beat { at_ms: 1, mailbox: None, waiting: 0, agent: "x".repeat(1_000) };
    world.pass(BEAT * 3);
    let is_there = async |number: u8| {
        let begun = Instant::now();
        while world.exchange().presence(&[device(number)]).await.unwrap() != [Presence::Online] {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (with, without) = (world.dial(1), world.dial(2));
    with.wait(None, Duration::from_millis(1)).await.unwrap();
    with.beat(&beat).await.unwrap();
    is_there(1).await;
    without.beat(&beat).await.unwrap();
    is_there(2).await;
    assert!(with.has_socket() && !without.has_socket());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_sent_away_hears_of_it_and_others_do_not() {
    let world = Embedded::new(Between::Nobody);
    let (one, other, retired) = (world.dial(1), world.dial(2), world.dial(RETIRED));
    let answer = retired.mailbox(None).await;
    assert_eq!(answer, Err(Trouble::NoSession { why: "this device was retired".to_owned() }));
    assert_eq!(one.mailbox(None).await, Ok(Pulled::Empty));
    let one = Arc::new(one);
    let asked: Vec<_> = (0..60)
        .map(|_| {
            let one = Arc::clone(&one);
            tokio::spawn(async move { one.mailbox(None).await })
        })
        .collect();
    let mut busy = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Ok(_) => {}
            Err(Trouble::Busy { .. }) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 5, "{busy} of 60");
    assert_eq!(other.mailbox(None).await, Ok(Pulled::Empty), "another asks as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_begins_anew_by_itself() {
    let world = Embedded::new(Between::Nobody);
    let dial = world.dial(1);
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::Empty));
    assert_eq!(dial.wait(None, Duration::from_millis(1)).await, Ok(Woken::Quiet));
    world.desk().end(&device(1));
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::Empty));
    let socket = dial.wait(None, SOON).await;
    assert!(matches!(socket, Err(Trouble::Unreachable { .. })), "its socket ended with its session: {socket:?}");
    assert_eq!(dial.wait(None, Duration::from_millis(1)).await, Ok(Woken::Quiet));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_rung_for_all_the_time_looks_once_a_second() {
    for between in [Between::Nobody, Between::Refuses] {
        let world = Embedded::new(between);
        let (device, line) = world.line(1).await;
        let with = Replacement { device, expected: None, bytes: "one".into(), names: Vec::new() };
        world.exchange().replace(vec![with]).await.unwrap()[0].unwrap();
        // Whoever has nothing is woken by each wait.
        let (begun, mut woken) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_millis(2_500) {
            let rung = line.wait(None, SOON).await;
            assert!(matches!(rung, Ok(Woken::Rung { .. })), "{rung:?}");
            woken += 1;
        }
        assert!((2..=4).contains(&woken), "{woken} times behind {between:?}");
    }
}
