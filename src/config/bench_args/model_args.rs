//! The flags of `squall bench --models`, and those of `squall model`, which is one of the models.

use crate::config::addresses::parse_address;
use crate::config::numbers::count;
use clap::{Arg, Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `squall bench` that measure the three server models of the course.
#[derive(Args, Debug, Clone)]
pub struct ModelsFlags {
    /// Measure three server models and squall, each in a process of its own on 127.0.0.1; FILE is for the picture
    #[arg(long, value_name = "FILE.svg", num_args = 0..=1, value_parser = parse_picture)]
    pub models: Option<Option<PathBuf>>,
    /// Seconds for each of the measurements, from 0.05 to 10
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_duration, requires = "models")]
    pub models_seconds: Duration,
    /// Connections at once, one measurement for each number
    #[arg(long, value_name = "N,N", default_value = "1,10,100,1000", value_delimiter = ',',
          value_parser = count(1..=10_000), requires = "models")]
    pub models_connections: Vec<usize>,
}

/// The flags of `squall bench` that mean something beside `--models`; any other one is refused beside it.
const BESIDE: [&str; 6] = ["models", "models_seconds", "models_connections", "version", "usage", "help"];

/// `arg`, refused beside `--models` unless it means something there.
pub(super) fn alone(arg: Arg) -> Arg {
    if BESIDE.contains(&arg.get_id().as_str()) { arg } else { arg.conflicts_with("models") }
}

/// Arguments of `squall model`.
#[derive(Args, Debug, Clone)]
pub struct ModelArgs {
    /// What handles a request
    #[arg(value_name = "MODEL")]
    pub model: Model,
    /// Address to listen on; port 0 lets the kernel choose
    #[arg(long, value_name = "ADDR:PORT", value_parser = parse_address, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// A server model of the course.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// A process for each request
    Process,
    /// A thread for each request
    Thread,
    /// An event loop
    Loop,
    /// One request, on the connection that is standard input: what `process` starts, as inetd would
    Request,
}

fn parse_picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg")) {
        true => Ok(path),
        false => Err("expected the name of a file that ends in .svg".into()),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=10.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, from 0.05 to 10".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::BenchArgs;
    use clap::{Args, Command};

    fn command() -> Command {
        BenchArgs::augment_args(Command::new("bench"))
    }

    #[test]
    fn a_flag_that_models_would_ignore_is_refused_beside_it() {
        let mut refused = 0;
        for arg in command().get_arguments().filter(|arg| !super::BESIDE.contains(&arg.get_id().as_str())) {
            let short = arg.get_short().map(|short| format!("-{short}"));
            let flag = short.or_else(|| arg.get_long().map(|long| format!("--{long}")));
            let default = usize::from(arg.get_action().takes_values());
            let values = arg.get_num_args().map_or(default, |range| range.min_values());
            let value = arg.get_possible_values().first().map_or("1".to_owned(), |value| value.get_name().to_owned());
            // The URL goes in front, or it would be the name of the picture.
            let words = ["bench".to_owned()].into_iter().chain(flag).chain(vec![value; values]);
            let error =
                command().try_get_matches_from(words.chain(["--models".into()])).expect_err(arg.get_id().as_str());
            let text = error.to_string();
            let is_bad_value = error.kind() == clap::error::ErrorKind::ValueValidation;
            assert!(is_bad_value || text.contains("cannot be used with"), "{}: {text}", arg.get_id());
            refused += usize::from(!is_bad_value);
        }
        assert!(refused > 20, "{refused}");
    }

    #[test]
    fn sizes_without_a_meaning_are_refused() {
        for words in [
            ["--models", "picture.png"].as_slice(),
            &["--models", "http://127.0.0.1/"],
            &["--models", "--models-seconds", "0"],
            &["--models", "--models-seconds", "11"],
            &["--models", "--models-connections", "0"],
            &["--models", "--models-connections", "1,,2"],
            &["--models", "--models-connections", "10001"],
            &["--models-seconds", "1"],
        ] {
            assert!(command().try_get_matches_from([&["bench"], words].concat()).is_err(), "{words:?}");
        }
        let sound = ["bench", "--models", "a.SVG", "--models-seconds", "0.05", "--models-connections", "1,2"];
        assert!(command().try_get_matches_from(sound).is_ok());
    }
}
