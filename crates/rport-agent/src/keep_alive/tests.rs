use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rport_runtime::Tasks;
use rport_transport::{Event, Link, LinkOptions, pair};
use tokio::time::timeout;

use super::*;

const FAST: Duration = Duration::from_millis(20);
/// Long enough for an answer on a busy machine.
const PATIENT: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(10);

async fn link(tasks: &Tasks) -> (Link, Link) {
    pair("agent", &LinkOptions::default(), tasks).await.unwrap()
}

/// Answers pings until told to fall silent, and then keeps the link open.
fn answer_some(server: Link, how_many: usize, tasks: &Tasks) {
    tasks.spawn("server", async move {
        // The whole link moves in; without its connection it would close.
        let mut server = server;
        let mut kept = Vec::new();
        while let Some(event) = server.incoming.next().await {
            match event {
                Event::Request(request) if kept.len() < how_many => {
                    assert_eq!(request.name, "ping");
                    assert!(request.wants_reply && request.payload.is_empty());
                    kept.push(None);
                    request.succeed(b"");
                }
                Event::Request(request) => kept.push(Some(request)),
                Event::Channel(_) => {}
            }
        }
    });
}

#[tokio::test]
async fn silence_is_noticed_and_answers_are_counted() {
    let tasks = Tasks::new();
    let (agent, server) = link(&tasks).await;
    answer_some(server, 3, &tasks);
    let pongs = Arc::new(AtomicUsize::new(0));
    let counter = pongs.clone();
    let watching = watch(&agent.connection, FAST, PATIENT, |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    timeout(SOON, watching).await.expect("the silence is noticed");
    assert_eq!(pongs.load(Ordering::Relaxed), 3);
    assert!(!agent.connection.is_closed(), "closing is up to the caller");
    agent.connection.close();
    tasks.shutdown(SOON).await;
}

#[tokio::test]
async fn a_refused_ping_is_a_sign_of_life_too() {
    let tasks = Tasks::new();
    let (agent, mut server) = link(&tasks).await;
    tasks.spawn("server", async move {
        while let Some(event) = server.incoming.next().await {
            if let Event::Request(request) = event {
                request.fail("unknown request");
            }
        }
    });
    let pongs = Arc::new(AtomicUsize::new(0));
    let counter = pongs.clone();
    let watching = watch(&agent.connection, FAST, SOON, |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let counted = async {
        while pongs.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = watching => panic!("the link is alive"),
        counted = timeout(SOON, counted) => counted.expect("pongs are counted"),
    }
    agent.connection.close();
    tasks.shutdown(SOON).await;
}

#[tokio::test]
async fn traffic_counts_as_life() {
    let tasks = Tasks::new();
    let (agent, server) = link(&tasks).await;
    let talker = server.connection.clone();
    answer_some(server, 0, &tasks);
    let soft = tasks.soft();
    tasks.spawn("talker", async move {
        let chatter = async {
            while talker.notify("chatter", b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soft.run_until_cancelled(chatter).await;
    });
    let watching = watch(&agent.connection, FAST, Duration::from_millis(100), |_| {
        panic!("nobody answers")
    });
    let watched = timeout(Duration::from_millis(600), watching).await;
    assert!(watched.is_err(), "a busy link was given up");
    agent.connection.close();
    tasks.shutdown(SOON).await;
}

#[tokio::test]
async fn the_end_of_the_link_ends_the_watch() {
    let tasks = Tasks::new();
    let (agent, server) = link(&tasks).await;
    drop(server);
    let watching = watch(&agent.connection, FAST, Duration::from_secs(3600), |_| {});
    timeout(SOON, watching)
        .await
        .expect("the watch ends with the link");
    tasks.shutdown(SOON).await;
}

#[test]
fn jitter_is_small_and_bounded() {
    let mut rng = SmallRng::seeded(1);
    for _ in 0..1000 {
        let short = with_jitter(Duration::from_secs(20), &mut rng);
        assert!(
            short >= Duration::from_secs(20) && short <= Duration::from_secs(21),
            "{short:?}"
        );
        let long = with_jitter(Duration::from_secs(3600), &mut rng);
        assert!(long <= Duration::from_secs(3605), "{long:?}");
    }
    assert_eq!(with_jitter(Duration::MAX, &mut rng), Duration::MAX);
}
