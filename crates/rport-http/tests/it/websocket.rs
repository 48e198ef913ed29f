//! WebSockets, as a program or a browser opens them.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::rig::{PATIENCE, Rig, answer};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Logs a user in.
pub(crate) async fn token(rig: &Rig, user: (&str, &str)) -> String {
    let (_, body) = answer(rig.as_user(user, Method::GET, "/login")).await;
    body["data"]["token"].as_str().expect("token").to_owned()
}

/// Opens a WebSocket, `path` being below the API's base; the status otherwise. Beside it comes the sub-protocol.
pub(crate) async fn open(
    rig: &Rig,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Option<String>), u16> {
    let url = format!("ws://{}/api/v1{path}", rig.api);
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, value.parse().expect("a value"));
    }
    match connect_async(request).await {
        Ok((socket, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            let protocol = protocol.map(|value| value.to_str().expect("text").to_owned());
            Ok((socket, protocol))
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next text frame; null when the connection has ended.
pub(crate) async fn next(socket: &mut Socket) -> Value {
    loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next())
            .await
            .expect("in time");
        match frame {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Value::Null,
            Some(Ok(_)) => {}
        }
    }
}
