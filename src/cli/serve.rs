//! `squall serve`: a server from its flags, with its listeners, its files and its certificate.

use crate::address::TrustedProxies;
#[cfg(feature = "history")]
use crate::config::History;
use crate::config::{CookieSecure, Limits, Serve};
use crate::net::listeners::{Listener, Service, Transport};
use crate::reactor::Loop;
use crate::reactor::https::{TlsFiles, ToHttps};
#[cfg(feature = "history")]
use crate::site::control;
use crate::site::{self, Settings, Site};
#[cfg(feature = "history")]
use crate::store::sqlite::{Sqlite, SqliteOptions};
use crate::workers::line_log::LineLog;
use std::time::Instant;

/// Listens, reads the pages and the secret, and is ready to run.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn bind(serve: &Serve, limits: Limits) -> Result<Loop<Site>, String> {
    let limits = serve.apply_to(limits);
    let settings = Settings {
        secret: site::cookie::load_secret(serve.cookie_secret_file.as_deref(), &serve.data_dir)?,
        cookie_secure: serve.cookie_secure == CookieSecure::Always || serve.tls_cert.is_some(),
        allow_origin: serve.allow_origin.clone(),
        www: serve.www.clone(),
        search_url: serve.search_url.clone(),
        allow_private: serve.allow_private,
        lab: serve.lab,
        rooms: serve.chat.rooms.as_ref().map(|rooms| rooms.0.clone()),
        operators_file: serve.chat.operators_file.clone(),
        invite_file: serve.chat.invite_file.clone(),
    };
    if let Some(www) = serve.www.as_ref().filter(|www| !www.is_dir()) {
        return Err(format!("--www {}: there is no such directory", www.display()));
    }
    let site = Site::new(settings, &limits, Instant::now())?;
    let log_lines_max = limits.log_lines_max;
    let mut running = Loop::new(&listeners(serve), site, limits)?;
    running.server().trust_proxies(TrustedProxies::new(serve.trusted_proxy.clone()));
    #[cfg(feature = "history")]
    if serve.history.history == History::Sqlite {
        let store = Sqlite::open(&serve.data_dir, SqliteOptions::of(&serve.history), running.waker())?;
        running.server().keep_history(Box::new(store));
        // Behind the store, which holds the lock of the directory: a socket that is there is of an earlier process.
        let path = serve.data_dir.join(control::SOCKET);
        if let Err(e) = running.open_door(&path, Service::Control) {
            log::warn!("{}: {e}; squall history forget and import cannot ask this server", path.display());
        }
    }
    if let Some(path) = &serve.ca_file {
        running.trust(path)?;
    }
    if let (Some(cert), Some(key)) = (&serve.tls_cert, &serve.tls_key) {
        running.serve_tls(TlsFiles { cert: cert.clone(), key: key.clone() })?;
    }
    let https = running.listeners().iter().find(|listener| listener.transport == Transport::Tls);
    if let Some(port) = https.map(|listener| listener.address.port()) {
        let challenges = serve.www.as_ref().map(|_| site::files::CHALLENGES);
        running.redirect_to_https(ToHttps { port, challenges });
    }
    if let Some(path) = &serve.access_log {
        let log = LineLog::open(path, log_lines_max);
        running.log_to(log.map_err(|e| format!("--access-log {}: {e}", path.display()))?);
    }
    Ok(running)
}

/// The listeners that the flags ask for.
fn listeners(serve: &Serve) -> Vec<Listener> {
    let transport = if serve.tls_cert.is_some() { Transport::Tls } else { Transport::Tcp };
    let site = |&address| Listener { address, transport, service: Service::Site };
    let redirect = |address| Listener { address, transport: Transport::Tcp, service: Service::Redirect };
    serve.listen.iter().map(site).chain(serve.redirect_http.map(redirect)).collect()
}
