//! The flags of `squall bench` for https.

use clap::Args;
use std::path::PathBuf;

/// How connections of a load speak TLS.
#[derive(Args, Debug, Clone, Default)]
pub struct TlsArgs {
    /// Versions of TLS that are offered: TLS1.2, TLS1.3 or ALL [default: ALL]
    #[arg(short = 'f', value_name = "PROTOCOL", value_parser = parse_protocol)]
    pub protocol: Option<Protocol>,
    /// Ciphers that are offered, in this order, with colons between them, by the names that OpenSSL or the standard has
    #[arg(short = 'Z', value_name = "CIPHERS")]
    pub ciphers: Option<String>,
    /// PEM file with a client certificate, its chain and its key
    #[arg(short = 'E', value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Do not name the server in the handshake (no SNI)
    #[arg(short = 'I')]
    pub no_server_name: bool,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    All,
    Tls12,
    Tls13,
}

impl TlsArgs {
    /// Whether any of them is given.
    pub fn is_given(&self) -> bool {
        self.protocol.is_some() || self.ciphers.is_some() || self.certificate.is_some() || self.no_server_name
    }
}

/// In any letter case, as `ab` has it.
fn parse_protocol(text: &str) -> Result<Protocol, String> {
    match text.to_ascii_uppercase().as_str() {
        "ALL" => Ok(Protocol::All),
        "TLS1.2" => Ok(Protocol::Tls12),
        "TLS1.3" => Ok(Protocol::Tls13),
        "SSL2" | "SSL3" | "TLS1" | "TLS1.0" | "TLS1.1" => {
            Err("it is not safe any more, and squall has only TLS1.2, TLS1.3 or ALL".into())
        }
        _ => Err("expected TLS1.2, TLS1.3 or ALL".into()),
    }
}
