//! Listeners on a path of this machine (unix(7)): doors for programs of the same user.

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a path that the kernel takes, without the zero behind it (`sun_path` in unix(7)).
pub const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// Connections that the kernel has completed and that are not accepted yet.
const BACKLOG: i32 = 128;

/// A listener on a path, which is removed at the end.
#[derive(Debug)]
pub struct Door {
    pub listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the path.
    identity: (u64, u64),
}

impl Door {
    /// Listens on `path`, for the owner of this process only. A socket that an earlier process has left there is removed,
    /// so the caller must know that no other process listens on it.
    ///
    /// # Errors
    /// The path is too long (`InvalidFilename`) or is something else than a socket (`AlreadyExists`); or what the kernel
    /// says.
    pub fn open(path: &Path) -> io::Result<Door> {
        if path.as_os_str().as_bytes().len() > PATH_BYTES_MAX {
            let why = format!("its path has more than {PATH_BYTES_MAX} bytes, the most that a socket may have");
            return Err(io::Error::new(ErrorKind::InvalidFilename, why));
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "there is something else than a socket")),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Before it listens: until then no program can connect.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let identity = identity(&fs::symlink_metadata(path)?);
        socket.listen(BACKLOG)?;
        Ok(Door { listener: UnixListener::from_std(socket.into()), path: path.to_owned(), identity })
    }

    /// The next connection.
    ///
    /// # Errors
    /// As of accept(2).
    pub fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().map(|(stream, _)| stream)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Not another one that has taken its place.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as Client;

    #[test]
    fn a_door_is_for_its_owner_and_goes_with_its_process() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("door");
        let door = Door::open(&path).expect("a door");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(door.accept().map(drop).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
        let mut client = Client::connect(&path).expect("it listens");
        let mut stream = door.accept().expect("a connection");
        stream.write_all(b"hello").expect("a socket");
        let mut heard = [0; 5];
        client.read_exact(&mut heard).expect("a socket");
        assert_eq!(&heard, b"hello");
        drop(door);
        assert!(!path.exists());
    }

    #[test]
    fn what_an_earlier_process_has_left_is_removed() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("door");
        let left = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        drop(left);
        assert!(path.exists());
        let first = Door::open(&path).expect("a door");
        let second = Door::open(&path).expect("another one in its place");
        drop(first);
        assert!(path.exists(), "it is the second one's");
        assert!(Client::connect(&path).is_ok());
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn a_path_that_cannot_be_a_door_is_left_as_it_is() {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("file");
        fs::write(&file, "text").expect("a file");
        assert_eq!(Door::open(&file).map_err(|e| e.kind()).err(), Some(ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&file).expect("a file"), b"text");
        let length = directory.path().as_os_str().len();
        let long = directory.path().join("x".repeat(PATH_BYTES_MAX - length));
        let refused = Door::open(&long).expect_err("one byte too many");
        assert!(refused.kind() == ErrorKind::InvalidFilename && refused.to_string().contains("bytes"), "{refused}");
        let longest = directory.path().join("x".repeat(PATH_BYTES_MAX - length - 1));
        assert!(Door::open(&longest).is_ok());
        assert!(Door::open(&directory.path().join("none/door")).is_err());
    }
}
