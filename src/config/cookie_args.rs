//! The flags of `squall cookie`.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `squall cookie`.
#[derive(Args, Debug, Clone)]
pub struct CookieArgs {
    /// The name to log in, as it would be typed
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Log in as the operator of this name, without the password
    #[arg(long)]
    pub operator: bool,
    /// Directory of the server's data, which has its cookie secret
    #[arg(long, env = "SQUALL_DATA_DIR", value_name = "DIR", default_value = "./squall-data")]
    pub data_dir: PathBuf,
    /// The server's key of the login cookie, if it has one of its own [default: DATA_DIR/cookie-secret]
    #[arg(long, env = "SQUALL_COOKIE_SECRET_FILE", value_name = "FILE")]
    pub cookie_secret_file: Option<PathBuf>,
}
