//! Environment variables: blank ones count as unset, unknown ones are named.
//!
//! Compose files, unit files and container platforms set a variable to nothing to unset it.

use clap::Command;
use std::ffi::{OsStr, OsString};

/// The prefix of our variables.
const PREFIX: &str = "SQUALL_";
/// Edits between a misspelling and the known name, at most: half of the shortest name.
const EDITS_MAX: usize = 6;

/// The command and its subcommands without these variables.
pub(super) fn without(command: Command, is_out: fn(&OsStr) -> bool) -> Command {
    let command = command.mut_args(|arg| if arg.get_env().is_some_and(is_out) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(|command| without(command, is_out))
}

/// Whether a value is empty or white space.
pub fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
}

/// The variables of the flags of the command and its subcommands.
pub(super) fn known(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).map(str::to_owned);
    let mut names: Vec<String> = own.chain(command.get_subcommands().flat_map(known)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A sentence for each unknown variable with our prefix. Names may hold any byte: they are escaped.
pub(super) fn unknown(known: &[String], environment: &[(OsString, OsString)]) -> Vec<String> {
    let in_kubernetes = environment.iter().any(|(name, _)| name == "KUBERNETES_SERVICE_HOST");
    let mut sentences = Vec::new();
    for (name, value) in environment {
        let shown = name.to_string_lossy();
        let is_ours = shown.get(..PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
        let is_known = known.iter().any(|known| *known == shown);
        if !is_ours || is_known || is_blank(value) || in_kubernetes && is_service_link(&shown) {
            continue;
        }
        sentences.push(match nearest(known, &shown.to_uppercase()) {
            Some(nearest) => format!("the variable {shown:?} is unknown: is {nearest} meant?"),
            None => format!("the variable {shown:?} is unknown: squall --help names those that there are"),
        });
    }
    sentences
}

/// Whether Kubernetes sets the variable in containers beside a Service called squall.
fn is_service_link(name: &str) -> bool {
    name.starts_with("SQUALL_SERVICE_") || name == "SQUALL_PORT" || name.starts_with("SQUALL_PORT_")
}

/// The known name with the fewest edits; one that begins with the other counts as one edit.
fn nearest<'a>(known: &'a [String], name: &str) -> Option<&'a str> {
    let goes_on = |known: &str| name.len() > PREFIX.len() + 2 && known.starts_with(name) || name.starts_with(known);
    let edits = |known: &&String| if goes_on(known) { 1 } else { strsim::damerau_levenshtein(known, name) };
    // The name may be very long.
    let near = known.iter().filter(|known| name.len() < 2 * known.len()).min_by_key(edits)?;
    (edits(&near) <= EDITS_MAX.min((near.len() - PREFIX.len()) / 2)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::CommandFactory;

    fn sentences(environment: &[(&str, &str)]) -> Vec<String> {
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        unknown(&known(&Cli::command()), &environment)
    }

    #[test]
    fn every_variable_of_every_command_is_known() {
        let known = known(&Cli::command());
        assert!(known.len() >= 22 && known.contains(&"SQUALL_CA_FILE".to_owned()), "{known:?}");
        for name in &known {
            assert_eq!(sentences(&[(name, "x")]), Vec::<String>::new());
        }
    }

    #[test]
    fn a_misspelled_variable_is_named_with_the_nearest() {
        for (name, meant) in [
            ("SQUALL_LISTNE", "SQUALL_LISTEN"),
            ("SQUALL_WW", "SQUALL_WWW"),
            ("SQUALL_BUFFERMAX", "SQUALL_BUFFER_MAX"),
            ("SQUALL_BUFFERS_MAX", "SQUALL_BUFFER_MAX"),
            ("SQUALL_ALLOWED_ORIGIN", "SQUALL_ALLOW_ORIGIN"),
            ("SQUALL_MAX_CONNS", "SQUALL_MAX_CONNECTIONS"),
            ("SQUALL_TLS_KEY_FILE", "SQUALL_TLS_KEY"),
            ("squall_listen", "SQUALL_LISTEN"),
        ] {
            let meant = format!("the variable {name:?} is unknown: is {meant} meant?");
            assert_eq!(sentences(&[(name, "x")]), [meant]);
        }
        for name in
            ["SQUALL_", "SQUALL_X", "SQUALL_ZZZZZZZZ", "SQUALL_CHRONICLES", &format!("SQUALL_{}", "X".repeat(100_000))]
        {
            assert!(sentences(&[(name, "x")])[0].ends_with("squall --help names those that there are"), "{name:.40}");
        }
    }

    #[test]
    fn a_value_of_white_space_is_blank() {
        for (value, blank) in [("", true), (" \t\r\n", true), ("\u{3000}", true), ("0", false), (" x ", false)] {
            assert_eq!(is_blank(OsStr::new(value)), blank, "{value:?}");
        }
    }

    #[test]
    fn variables_are_removed_from_every_command() {
        let command = without(Cli::command(), |name| name == "SQUALL_WWW" || name == "SQUALL_CA_FILE");
        let left = known(&command);
        assert_eq!(left.len(), known(&Cli::command()).len() - 2);
        assert!(!left.iter().any(|name| name == "SQUALL_WWW" || name == "SQUALL_CA_FILE"));
    }
}
