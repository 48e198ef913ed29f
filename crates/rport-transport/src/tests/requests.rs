use bytes::Bytes;

use super::*;
use crate::{CallError, CloseReason, IncomingRequest, Reply};

const LIMIT: Duration = Duration::from_secs(10);

async fn next_request(incoming: &mut Incoming) -> IncomingRequest {
    match soon(incoming.next()).await {
        Some(Event::Request(request)) => request,
        other => panic!("a request was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn both_sides_ask_and_answer_with_payloads() {
    let (mut agent, mut server) = linked().await;
    let serve = |mut incoming: Incoming| async move {
        let request = next_request(&mut incoming).await;
        assert!(request.wants_reply);
        let echo = request.payload.clone();
        request.succeed(echo);
        next_request(&mut incoming).await.fail("no such port");
        drop(next_request(&mut incoming).await);
        incoming
    };
    let ask = |connection: crate::Connection| async move {
        let reply = connection.call("check_port", b"{\"a\":1}", LIMIT).await;
        assert_eq!(reply, Ok(Reply::Success(Bytes::from_static(b"{\"a\":1}"))));
        let reply = connection.call("check_port", b"", LIMIT).await;
        assert_eq!(reply, Ok(Reply::Failure(Bytes::from_static(b"no such port"))));
        let reply = connection.call("nonsense", b"", LIMIT).await;
        assert_eq!(reply, Ok(Reply::Failure(Bytes::from_static(b"unknown request"))));
    };
    let (a, s) = (agent.connection.clone(), server.connection.clone());
    let (_, _, _, _) =
        soon(async { tokio::join!(ask(a), serve(server.incoming), ask(s), serve(agent.incoming)) }).await;
    agent.connection.close();
    server.connection.closed().await;
    let _ = (&mut agent.peer, &mut server.peer);
}

#[tokio::test]
async fn replies_keep_their_order_when_handlers_do_not() {
    let (agent, mut server) = linked().await;
    let calls: Vec<_> = (0..100u8)
        .map(|i| {
            let connection = agent.connection.clone();
            async move { (i, connection.call("run_cmd", [i], LIMIT).await) }
        })
        .collect();
    let serve = async {
        let mut requests = Vec::new();
        for _ in 0..100 {
            requests.push(next_request(&mut server.incoming).await);
        }
        for request in requests.into_iter().rev() {
            let echo = request.payload.clone();
            request.succeed(echo);
        }
    };
    let (answers, ()) = soon(async { tokio::join!(futures_util::future::join_all(calls), serve) }).await;
    for (i, answer) in answers {
        assert_eq!(answer, Ok(Reply::Success(Bytes::copy_from_slice(&[i]))));
    }
}

#[tokio::test]
async fn nothing_is_answered_when_no_answer_is_wanted() {
    let (agent, mut server) = linked().await;
    agent.connection.notify("cmd_result", b"1").await.expect("sent");
    let request = next_request(&mut server.incoming).await;
    assert!(!request.wants_reply);
    request.succeed(b"must not travel");
    let (reply, ()) = soon(async {
        tokio::join!(agent.connection.call("ping", b"", LIMIT), async {
            next_request(&mut server.incoming).await.succeed(b"");
        })
    })
    .await;
    assert_eq!(reply, Ok(Reply::Success(Bytes::new())));
}

#[tokio::test]
async fn large_payloads_travel_and_larger_ones_are_refused_before_sending() {
    let (agent, mut server) = linked().await;
    let large = vec![b'x'; 250_000];
    let (reply, ()) = soon(async {
        tokio::join!(agent.connection.call("save", &large, LIMIT), async {
            let request = next_request(&mut server.incoming).await;
            let echo = request.payload.clone();
            request.succeed(echo);
        })
    })
    .await;
    assert_eq!(reply, Ok(Reply::Success(Bytes::from(large))));
    let too_large = vec![0; 262_144];
    assert!(matches!(
        agent.connection.call("save", too_large, LIMIT).await,
        Err(CallError::TooLarge(_))
    ));
    assert!(!agent.connection.is_closed());
}

#[tokio::test]
async fn a_call_times_out_alone_and_its_late_answer_disturbs_nobody() {
    let (agent, mut server) = linked().await;
    let short = Duration::from_millis(20);
    let late = soon(agent.connection.call("slow", b"", short)).await;
    assert_eq!(late, Err(CallError::Timeout(short)));
    let first = next_request(&mut server.incoming).await;
    let (reply, ()) = soon(async {
        tokio::join!(agent.connection.call("quick", b"", LIMIT), async {
            let second = next_request(&mut server.incoming).await;
            second.succeed(b"second");
            first.succeed(b"first");
        })
    })
    .await;
    assert_eq!(reply, Ok(Reply::Success(Bytes::from_static(b"second"))));
}

#[tokio::test]
async fn closing_fails_every_waiter_and_says_who_closed() {
    let (agent, mut server) = linked().await;
    let waiting = agent.connection.call("never", b"", DEADLINE);
    let (outcome, ()) = soon(async { tokio::join!(waiting, async { server.connection.close() }) }).await;
    assert_eq!(outcome, Err(CallError::Closed));
    assert_eq!(soon(server.connection.closed()).await, CloseReason::Local);
    assert!(matches!(
        soon(agent.connection.closed()).await,
        CloseReason::Peer | CloseReason::Io(_)
    ));
    assert_eq!(
        agent.connection.call("late", b"", LIMIT).await,
        Err(CallError::Closed)
    );
    // What had arrived is still handed out, then the end.
    while soon(server.incoming.next()).await.is_some() {}
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_link() {
    let (agent, server) = linked().await;
    let other = agent.connection.clone();
    drop(agent);
    assert!(!server.connection.is_closed());
    drop(other);
    soon(server.connection.closed()).await;
}

#[tokio::test]
async fn flushing_lets_a_last_word_arrive() {
    let (agent, mut server) = linked().await;
    let waiting = agent.connection.call("new_connection", b"", LIMIT);
    let refuse = async {
        next_request(&mut server.incoming)
            .await
            .fail("client is already connected: x [x]");
        server.connection.flush_and_close(LIMIT).await;
    };
    let (reply, ()) = soon(async { tokio::join!(waiting, refuse) }).await;
    assert_eq!(
        reply,
        Ok(Reply::Failure(Bytes::from_static(
            b"client is already connected: x [x]"
        )))
    );
}
