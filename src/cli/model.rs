//! `squall model`: one of the server models, by itself. See [`models`](super::models).

use super::models::{event_loop, process_per_request, serve, thread_per_request};
use crate::config::{Model, ModelArgs};
use socket2::{Domain, Socket, Type};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// Clients that may wait to be accepted, as far as the kernel allows it (net.core.somaxconn); std asks for 128.
const BACKLOG: i32 = 4096;

/// Runs a model until it is killed.
///
/// # Errors
/// What the system refuses: the address, a poll, the program's own path.
pub fn run(args: &ModelArgs) -> Result<ExitCode, String> {
    let ended = match args.model {
        Model::Request => return serve_standard_input(),
        Model::Process => listen(args).and_then(process_per_request),
        Model::Thread => listen(args).and_then(thread_per_request),
        Model::Loop => listen(args).and_then(event_loop),
    };
    ended.map(|()| ExitCode::SUCCESS).map_err(|e| format!("squall model on {}: {e}", args.listen))
}

/// Serves the one request that comes over standard input. `main` calls it without reading flags.
///
/// # Errors
/// Standard input is no socket.
pub fn serve_standard_input() -> Result<ExitCode, String> {
    let socket = io::stdin().as_fd().try_clone_to_owned().map(TcpStream::from);
    let socket = socket.and_then(|socket| socket.local_addr().map(|_| socket));
    // What a client does wrong is not said: any client could fill the log.
    let _ = serve(socket.map_err(|e| format!("squall model request: standard input is no connection: {e}"))?);
    Ok(ExitCode::SUCCESS)
}

fn listen(args: &ModelArgs) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(args.listen), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&args.listen.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    // A closed standard output is no error: the line is not wanted.
    let _ = writeln!(io::stdout(), "squall listening on http://{}/", listener.local_addr()?);
    Ok(listener)
}
