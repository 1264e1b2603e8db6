//! `squall cookie`: logs a script in, with the secret of a server.

use crate::clock::Now;
use crate::config::CookieArgs;
use crate::site::cookie::{self, SECRET_FILE, Signer};
use crate::site::{login, name};
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a Cookie field's value for this name, good for 30 days. With `--operator` it stands for the password, too.
///
/// # Errors
/// The name is none, the server has no secret yet, or the secret cannot be used.
pub fn run(args: &CookieArgs) -> Result<ExitCode, String> {
    let why = "it must have 1 to 32 characters, none of them a colon or invisible";
    let name = name::check(&args.name).map_err(|_| format!("{:?} is no name: {why}", args.name))?;
    let path = args.cookie_secret_file.clone().unwrap_or_else(|| args.data_dir.join(SECRET_FILE));
    if args.cookie_secret_file.is_none() && !path.exists() {
        return Err(format!(
            "there is no cookie secret {}: start the server once, or name its directory with --data-dir",
            path.display()
        ));
    }
    let secret = cookie::load_secret(Some(&path), &args.data_dir)?;
    let (signer, now) = (Signer::new(&secret), Now::read().wall.seconds());
    let signed = |cookie: &str| format!("{cookie}={}", signer.sign(cookie, name.as_bytes(), now));
    let line = match args.operator {
        true => format!("{}; {}", signed(login::COOKIE), signed(login::OPERATOR_COOKIE)),
        false => signed(login::COOKIE),
    };
    writeln!(io::stdout(), "{line}").map_err(|e| format!("standard output cannot be written: {e}"))?;
    Ok(ExitCode::SUCCESS)
}
