use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{CloseReason, OpenError};

fn pattern(n: usize, seed: u8) -> Vec<u8> {
    (0..n)
        .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
        .collect()
}

#[tokio::test]
async fn open_carries_kind_and_target_and_reject_carries_reason_and_text() {
    let (mut agent, server) = linked().await;
    let (opened, ()) = soon(async {
        tokio::join!(server.connection.open("rport", b"[::1]:80/udp"), async {
            let offered = next_channel(&mut agent.incoming).await;
            assert_eq!(
                (offered.kind.as_str(), &offered.extra[..]),
                ("rport", &b"[::1]:80/udp"[..])
            );
            offered.reject(1, "not allowed with \"tunnel_allowed\" config");
        })
    })
    .await;
    let text = "not allowed with \"tunnel_allowed\" config".to_owned();
    assert_eq!(opened.err(), Some(OpenError::Rejected { reason: 1, text }));
    let stats = server.connection.stats();
    assert_eq!(stats.open_channels, 0);
}

#[tokio::test]
async fn many_channels_carry_much_data_both_ways_at_once() {
    let options = LinkOptions {
        rekey_after: Some(1 << 20),
        ..LinkOptions::default()
    };
    let (mut agent, server) = linked_with(&options).await;
    let mut transfers = Vec::new();
    for seed in 0..4u8 {
        let (near, far) = channel_between(&server, &mut agent).await;
        for (channel, seed) in [(near, seed), (far, seed + 100)] {
            let theirs = if seed < 100 { seed + 100 } else { seed - 100 };
            transfers.push(async move {
                let sent = pattern(3_000_000, seed);
                let (mut read, mut write) = tokio::io::split(channel);
                let send = async {
                    write.write_all(&sent).await.expect("send");
                    write.shutdown().await.expect("eof");
                };
                let mut got = Vec::new();
                let ((), read) = tokio::join!(send, read.read_to_end(&mut got));
                read.expect("receive");
                assert!(
                    got == pattern(3_000_000, theirs),
                    "channel {seed} got something else"
                );
            });
        }
    }
    soon(futures_util::future::join_all(transfers)).await;
    assert!(!server.connection.is_closed() && !agent.connection.is_closed());
    let idle = async {
        while agent.connection.stats().open_channels + server.connection.stats().open_channels > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(idle).await;
}

#[tokio::test]
async fn a_half_closed_channel_still_answers() {
    let (mut agent, server) = linked().await;
    let (mut near, mut far) = channel_between(&server, &mut agent).await;
    near.write_all(b"question").await.expect("send");
    near.shutdown().await.expect("eof");
    let mut got = Vec::new();
    soon(far.read_to_end(&mut got)).await.expect("receive");
    far.write_all(b"answer").await.expect("send");
    drop(far);
    let mut answer = Vec::new();
    soon(near.read_to_end(&mut answer)).await.expect("receive");
    assert_eq!((&got[..], &answer[..]), (&b"question"[..], &b"answer"[..]));
}

#[tokio::test]
async fn a_reader_that_stops_stops_only_its_own_channel() {
    let (mut agent, server) = linked().await;
    let (mut stuck, _never_read) = channel_between(&server, &mut agent).await;
    let (mut near, mut far) = channel_between(&server, &mut agent).await;
    let flood = vec![0; 64 * 1024];
    let mut written = 0;
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(100), stuck.write(&flood)).await {
        written += n.expect("open channel");
        assert!(
            written <= 1 << 20,
            "a channel that is not read takes no more than its window"
        );
    }
    soon(near.write_all(b"still here")).await.expect("send");
    let mut got = [0; 10];
    soon(far.read_exact(&mut got)).await.expect("receive");
    assert_eq!(&got, b"still here");
}

#[tokio::test]
async fn closing_in_the_middle_of_traffic_never_harms_the_link() {
    let (mut agent, server) = linked().await;
    for round in 0..300u32 {
        let (mut near, mut far) = channel_between(&server, &mut agent).await;
        let talk = async {
            let data = pattern(40_000, round as u8);
            // Whoever closes first wins; the other side's errors are expected.
            tokio::select! {
                _ = near.write_all(&data) => {}
                _ = far.write_all(&data) => {}
            }
        };
        soon(talk).await;
        if round % 2 == 0 {
            drop(near);
            drop(far);
        } else {
            drop(far);
            drop(near);
        }
    }
    let (mut near, mut far) = channel_between(&server, &mut agent).await;
    near.write_all(b"x").await.expect("send");
    assert_eq!(soon(far.read_u8()).await.expect("receive"), b'x');
    assert!(
        server.connection.stats().open_channels <= 2,
        "closed channels are forgotten"
    );
}

#[tokio::test]
async fn the_end_of_the_link_is_the_end_of_its_channels() {
    let (mut agent, server) = linked().await;
    let (mut near, mut far) = channel_between(&server, &mut agent).await;
    agent.connection.close();
    assert_eq!(soon(agent.connection.closed()).await, CloseReason::Local);
    let mut rest = Vec::new();
    assert_eq!(soon(near.read_to_end(&mut rest)).await.expect("end of file"), 0);
    assert_eq!(soon(far.read_to_end(&mut rest)).await.expect("end of file"), 0);
    assert!(near.write_all(b"late").await.is_err());
    assert!(matches!(
        server.connection.open("rport", b"x").await,
        Err(OpenError::Closed)
    ));
}

#[tokio::test]
async fn channels_are_limited() {
    let options = LinkOptions {
        max_channels: 2,
        ..LinkOptions::default()
    };
    let (mut agent, server) = linked_with(&options).await;
    let _one = channel_between(&server, &mut agent).await;
    let _two = channel_between(&server, &mut agent).await;
    assert!(matches!(
        server.connection.open("rport", b"x").await,
        Err(OpenError::TooMany)
    ));
}

#[tokio::test]
async fn giving_up_an_open_leaves_nothing_behind() {
    let (mut agent, server) = linked().await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), server.connection.open("rport", b"x"));
    assert!(given_up.await.is_err());
    let mut accepted = next_channel(&mut agent.incoming).await.accept();
    let mut rest = Vec::new();
    assert_eq!(
        soon(accepted.read_to_end(&mut rest))
            .await
            .expect("closed at once"),
        0
    );
    drop(accepted);
    let idle = async {
        while server.connection.stats().open_channels > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(idle).await;
}
