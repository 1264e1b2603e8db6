//! A foreign WebSocket implementation, tungstenite, as the client.

use crate::support::{Site, login};
use std::net::{SocketAddr, TcpStream};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

fn connect(address: SocketAddr, path: &str, cookie: Option<&str>) -> WebSocket<TcpStream> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    if let Some(cookie) = cookie {
        request.headers_mut().insert("Cookie", cookie.parse().unwrap());
        request.headers_mut().insert("Origin", format!("http://{address}").parse().unwrap());
    }
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let (socket, response) = tungstenite::client::client_with_config(request, stream, Some(config)).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[test]
fn tungstenite_gets_its_echo() {
    let site = Site::with_defaults();
    let mut socket = connect(site.address, "/echo", None);
    for message in [
        Message::text(""),
        Message::text("h\u{e9}llo \u{1f600}"),
        Message::binary(vec![0, 255]),
        Message::binary(vec![7; 1_000_000]),
        Message::text("x".repeat(16 << 20)),
    ] {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message);
    }
    socket.send(Message::Ping(vec![1, 2].into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(vec![1, 2].into()));
}

#[test]
fn tungstenite_closes_in_order() {
    let site = Site::with_defaults();
    let mut socket = connect(site.address, "/echo", None);
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "tab closed".into() })).unwrap();
    let Message::Close(Some(echoed)) = socket.read().unwrap() else { panic!("no Close") };
    assert_eq!(echoed.code, CloseCode::Away);
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    site.wait_until_empty();
}

#[test]
fn two_tungstenite_clients_chat() {
    let site = Site::with_defaults();
    let (ann_cookie, bob_cookie) = (login(site.address, "ann"), login(site.address, "bob"));
    let mut ann = connect(site.address, "/chat/", Some(&ann_cookie));
    assert_eq!(ann.read().unwrap(), Message::text("ann enter room"));
    let mut bob = connect(site.address, "/chat/", Some(&bob_cookie));
    for socket in [&mut ann, &mut bob] {
        assert_eq!(socket.read().unwrap(), Message::text("bob enter room"));
    }
    ann.send(Message::text("hello")).unwrap();
    for socket in [&mut ann, &mut bob] {
        assert_eq!(socket.read().unwrap(), Message::text("ann:hello"));
    }
    bob.close(None).unwrap();
    assert_eq!(ann.read().unwrap(), Message::text("bob leave room"));
}

#[test]
fn tungstenite_is_told_why_it_is_refused() {
    let site = Site::with_defaults();
    let stream = TcpStream::connect(site.address).unwrap();
    let refused = tungstenite::client(format!("ws://{}/chat/", site.address), stream).unwrap_err();
    let tungstenite::HandshakeError::Failure(Error::Http(response)) = refused else { panic!("{refused:?}") };
    assert_eq!(response.status(), 401);
}
