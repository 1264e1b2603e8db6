//! The work of the pool's threads.

use crate::blocks::{BLOCK_BYTES, Blocks};
use crate::config::Limits;
use crate::event::{FileRead, Finished, Job};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// Does one job to its end, on a thread of the pool.
pub(super) fn run(job: Job, limits: &Limits) -> Finished {
    match job {
        Job::ReadFile { path } => Finished::File(read_file(&path, limits.www_file_bytes_max)),
        Job::CheckPassword { hash, password } => Finished::Password(hash.verify(&password)),
    }
}

fn read_file(path: &Path, bytes_max: u64) -> io::Result<FileRead> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let facts = std::fs::metadata(path)?;
    if !facts.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    if facts.len() > bytes_max {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("larger than {bytes_max} bytes")));
    }
    let mut bytes = Blocks::default();
    // The file may grow while it is read.
    let file = File::open(path)?.take(bytes_max);
    io::copy(&mut BufReader::with_capacity(BLOCK_BYTES, file), &mut bytes)?;
    Ok(FileRead { bytes, modified: facts.modified().ok() })
}
