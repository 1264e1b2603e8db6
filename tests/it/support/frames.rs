//! WebSocket by hand: a client that reads frames as they come.

pub use super::masked::*;
use super::{Client, Response};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What a server's frame says.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// Text as [`Said`].
pub fn text(text: &str) -> Said {
    Said::Text(text.into())
}

/// A client whose connection has been switched.
pub struct WsClient<S = TcpStream> {
    pub client: Client<S>,
    pub response: Response,
}

impl WsClient {
    /// Shakes hands at `path` with these further fields.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, fields: &str) -> WsClient {
        WsClient::switch(Client::connect(address), path, fields)
    }

    #[track_caller]
    pub fn echo(address: SocketAddr) -> WsClient {
        WsClient::open(address, "/echo", "")
    }

    /// Enters the chat with a cookie of [`super::login`].
    #[track_caller]
    pub fn chat(address: SocketAddr, cookie: &str) -> WsClient {
        WsClient::open(address, "/chat/", &format!("Cookie: {cookie}\r\n"))
    }
}

impl<S: Read + Write> WsClient<S> {
    /// The same on a connection that is there.
    #[track_caller]
    pub fn switch(mut client: Client<S>, path: &str, fields: &str) -> WsClient<S> {
        client.send(handshake(path, fields));
        let response = client.response();
        assert_eq!(response.status, 101, "{} {}", response.head, response.text());
        WsClient { client, response }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.send(bytes);
    }

    #[track_caller]
    pub fn say(&mut self, text: &str) {
        self.send(frame(TEXT, text));
    }

    /// The first byte and the payload of the next frame.
    #[track_caller]
    pub fn next_frame(&mut self) -> (u8, Vec<u8>) {
        let [first, second] = self.client.take(2).try_into().expect("two bytes");
        assert_eq!(second & 0x80, 0, "a server masks nothing");
        let length = match second {
            126 => u16::from_be_bytes(self.client.take(2).try_into().expect("two bytes")) as usize,
            127 => u64::from_be_bytes(self.client.take(8).try_into().expect("eight bytes")) as usize,
            n => n as usize,
        };
        (first, self.client.take(length))
    }

    /// The next frame; the server's are whole and not masked.
    #[track_caller]
    pub fn heard(&mut self) -> Said {
        let (first, payload) = self.next_frame();
        assert_eq!(first & 0xf0, 0x80, "whole frames without extensions");
        match first & 0xf {
            TEXT => Said::Text(String::from_utf8(payload).expect("text is UTF-8")),
            BINARY => Said::Binary(payload),
            PING => Said::Ping(payload),
            PONG => Said::Pong(payload),
            CLOSE => match payload.split_first_chunk() {
                None => Said::Close(None, String::new()),
                Some((code, why)) => {
                    Said::Close(Some(u16::from_be_bytes(*code)), String::from_utf8(why.to_vec()).expect("UTF-8"))
                }
            },
            opcode => panic!("opcode {opcode}"),
        }
    }

    /// The next frame must be Close; returns its code and closes in turn, after which the server closes the socket.
    #[track_caller]
    pub fn dismissed(mut self) -> u16 {
        let Said::Close(Some(code), _) = self.heard() else { panic!("not closed") };
        // The server may have closed the socket already, if we broke a rule.
        let _ = self.client.stream.write_all(&close(code, ""));
        self.client.closed();
        code
    }
}
