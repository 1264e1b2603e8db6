//! The plain protocol: lines of text, as the course has them.
//!
//! ```text
//! NAME enter room     NAME:TEXT     NAME leave room
//! ```

/// Appends the line of a member that has entered.
pub fn write_enter(line: &mut Vec<u8>, name: &str) {
    write(line, name, " enter room");
}

/// Appends the line of a member that has left.
pub fn write_leave(line: &mut Vec<u8>, name: &str) {
    write(line, name, " leave room");
}

/// Appends the line of a message.
pub fn write_message(line: &mut Vec<u8>, name: &str, text: &str) {
    write(line, name, ":");
    line.extend_from_slice(text.as_bytes());
}

fn write(line: &mut Vec<u8>, name: &str, rest: &str) {
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(rest.as_bytes());
}
