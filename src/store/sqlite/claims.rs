//! The claims to names in the file.

use super::history::Step;
use super::rooms::{signed, unsigned};
use crate::clock::UnixMillis;
use crate::store::Claim;
use rusqlite::{Connection, Result, Statement, params};

/// Time in which a further use of a name is not written, milliseconds: an hour. Names are kept for a day at least.
const USED_EVERY: u64 = 3_600_000;
/// Rows released in one step.
const RELEASED_PER_STEP: u32 = 500;

/// The table `claims`. Nothing is kept in memory.
pub(super) struct Claims<'c> {
    find: Statement<'c>,
    add: Statement<'c>,
    touch: Statement<'c>,
    remove: Statement<'c>,
    release: Statement<'c>,
}

impl<'c> Claims<'c> {
    pub fn new(connection: &'c Connection) -> Result<Claims<'c>> {
        Ok(Claims {
            find: connection.prepare("SELECT name, used FROM claims WHERE look IN (?1, ?2) AND signer = ?3")?,
            add: connection
                .prepare("INSERT OR REPLACE INTO claims (look, name, signer, used) VALUES (?1, ?2, ?3, ?4)")?,
            touch: connection.prepare("UPDATE claims SET used = ?2 WHERE name = ?1")?,
            remove: connection.prepare("DELETE FROM claims WHERE name = ?1")?,
            release: connection.prepare(
                "DELETE FROM claims WHERE look IN (SELECT look FROM claims WHERE used < ?1 ORDER BY used LIMIT ?2)",
            )?,
        })
    }

    /// Claims a name, in the open transaction. Of a name that is claimed, its use is written once an hour.
    pub fn claim(&mut self, name: &str, looks: &[Box<str>; 2], signer: u64, at: UnixMillis) -> Result<Claim> {
        let ([one, other], signer) = (looks, signer.cast_signed());
        let rows = self.find.query_map(params![&**one, &**other, signer], |row| {
            Ok((row.get_ref(0)?.as_str()? == name, unsigned(row.get(1)?)))
        })?;
        let found = rows.collect::<Result<Vec<(bool, u64)>>>()?;
        if found.is_empty() {
            for look in looks {
                self.add.execute(params![&**look, name, signer, signed(at.millis())])?;
            }
            return Ok(Claim::New);
        }
        let is_due = |&(is_same, used): &(bool, u64)| is_same && at.millis().saturating_sub(used) >= USED_EVERY;
        if found.iter().any(is_due) {
            self.touch.execute(params![name, signed(at.millis())])?;
        }
        Ok(Claim::Taken)
    }

    /// Removes the claim to a name, in the open transaction.
    pub fn free(&mut self, name: &str) -> Result<()> {
        self.remove.execute([name]).map(drop)
    }

    /// Removes some of the claims that were used before this time only, in the open transaction.
    pub fn release(&mut self, before: UnixMillis) -> Result<Step> {
        let count = self.release.execute(params![signed(before.millis()), RELEASED_PER_STEP])?;
        Ok(if count < RELEASED_PER_STEP as usize { Step::Done } else { Step::More })
    }
}
