//! Rooms and presence in the chat.

use super::Limits;
use super::numbers::{at_least_one, parse_bytes, parse_factor, parse_rate, parse_seconds};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of the chat.
#[derive(Args, Debug, Clone)]
pub struct ChatArgs {
    /// Chat messages a second of one name, from all its connections; 0 is no limit
    #[arg(long, env = "SQUALL_MESSAGE_RATE", value_name = "N", default_value = "10", value_parser = parse_rate)]
    pub message_rate: f64,
    /// Factor of what all clients of one address may do together: messages of 20 names, 20 entrances and 2 logins a
    /// second; 0 is no limit
    #[arg(long, env = "SQUALL_ADDRESS_RATE", value_name = "FACTOR", default_value = "1", value_parser = parse_factor)]
    pub address_rate: f64,
    /// Bytes that a chat member may be behind its room before it is cut; with K, M or G as above
    #[arg(long, env = "SQUALL_LAG_MAX", value_name = "BYTES", default_value = "4M", value_parser = parse_bytes)]
    pub lag_max: usize,
    /// Rooms with members at once; a room is made by entering it
    #[arg(long, env = "SQUALL_ROOMS_MAX", value_name = "N", default_value = "1000", value_parser = at_least_one())]
    pub rooms_max: usize,
    /// The only rooms that there are [default: any room may be made]
    #[arg(long, env = "SQUALL_ROOMS", value_name = "fixed:NAME,NAME", value_parser = parse_rooms)]
    pub rooms: Option<FixedRooms>,
    /// Seconds after which a leave is announced to members that speak squall.v1, if the name has not come back
    #[arg(long, env = "SQUALL_PRESENCE_GRACE", value_name = "SECONDS", default_value = "15",
          value_parser = |text: &str| parse_seconds(text, 0.0))]
    pub presence_grace: Duration,
    /// Operators: a line NAME:HASH for each, as `squall operator NAME` prints it; read at start. Such a name, and any
    /// that looks like it, needs its password
    #[arg(long, env = "SQUALL_OPERATORS_FILE", value_name = "FILE")]
    pub operators_file: Option<PathBuf>,
    /// Invitations: a line TOKEN [until=YYYY-MM-DD] NOTE for each. With the file a new login needs one; a link to
    /// /?invite=TOKEN brings it along
    #[arg(long, env = "SQUALL_INVITE_FILE", value_name = "FILE")]
    pub invite_file: Option<PathBuf>,
}

impl ChatArgs {
    /// The limits with the values of the flags.
    pub fn apply_to(&self, limits: Limits) -> Limits {
        let factor = self.address_rate;
        Limits {
            message_rate: self.message_rate,
            address_names: limits.address_names * factor,
            address_entrance_rate: limits.address_entrance_rate * factor,
            address_entrance_burst: limits.address_entrance_burst * factor,
            address_login_rate: limits.address_login_rate * factor,
            address_login_burst: limits.address_login_burst * factor,
            lag_bytes_max: self.lag_max,
            rooms_max: self.rooms_max,
            presence_grace: self.presence_grace,
            ..limits
        }
    }
}

/// The names of the only rooms, as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedRooms(pub Vec<String>);

fn parse_rooms(text: &str) -> Result<FixedRooms, String> {
    let names = text.strip_prefix("fixed:").map(|names| names.split(',').map(|name| name.trim().to_owned()).collect());
    let names = names.filter(|names: &Vec<String>| names.iter().all(|name| !name.is_empty()));
    names.map(FixedRooms).ok_or_else(|| "expected fixed: and the names of rooms with commas between them".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_fixed_by_their_names() {
        let rooms = |text| parse_rooms(text).map(|rooms| rooms.0);
        assert_eq!(rooms("fixed:lobby"), Ok(vec!["lobby".into()]));
        assert_eq!(rooms("fixed:lobby, 日本"), Ok(vec!["lobby".into(), "日本".into()]));
        for text in ["", "lobby", "fixed:", "fixed:a,,b", "fixed:a,"] {
            assert!(rooms(text).is_err(), "{text}");
        }
    }
}
