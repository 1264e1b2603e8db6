//! Whether a connection persists after a message, by its Connection fields (RFC 9112 section 9.3).

/// What the Connection fields of one message say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Persistence {
    /// Nothing: the version decides.
    #[default]
    Default,
    KeepAlive,
    /// Outweighs `KeepAlive`.
    Close,
}

impl Persistence {
    /// Adds one option of a Connection field.
    pub fn and(self, option: &[u8]) -> Persistence {
        self.max(match option {
            _ if option.eq_ignore_ascii_case(b"close") => Persistence::Close,
            _ if option.eq_ignore_ascii_case(b"keep-alive") => Persistence::KeepAlive,
            _ => Persistence::Default,
        })
    }

    /// Whether the connection may carry another message after this one. HTTP/1.0 keeps it only if that is said.
    pub fn keeps_alive(self, http_1_0: bool) -> bool {
        match self {
            Persistence::Default => !http_1_0,
            Persistence::KeepAlive => true,
            Persistence::Close => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_outweighs_keep_alive_which_outweighs_the_version() {
        for (options, kept) in [
            (&[][..], [true, false]),
            (&["upgrade", "closed"], [true, false]),
            (&["Keep-Alive"], [true, true]),
            (&["CLOSE"], [false, false]),
            (&["close", "keep-alive"], [false, false]),
            (&["keep-alive", "close", "x"], [false, false]),
        ] {
            let said = options.iter().fold(Persistence::Default, |said, option| said.and(option.as_bytes()));
            assert_eq!([false, true].map(|http_1_0| said.keeps_alive(http_1_0)), kept, "{options:?}");
        }
    }
}
