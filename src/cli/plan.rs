//! `tenantctl plan`.

use super::Context;
use crate::error::{Error, Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// See the command's help.
pub async fn run(_context: &Context, _args: &Args) -> Result<Exit, Error> {
    Err(Error::new("not built yet"))
}
