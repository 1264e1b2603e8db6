//! The flags of `squall operator`.

use clap::Args;

/// Arguments of `squall operator`.
#[derive(Args, Debug, Clone)]
pub struct OperatorArgs {
    /// The name of the operator, as it would be typed
    #[arg(value_name = "NAME")]
    pub name: String,
}
