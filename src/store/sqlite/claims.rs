//! The claims to names in the file, and the names that were freed.

use super::history::Step;
use super::rooms::{signed, unsigned};
use crate::clock::UnixMillis;
use crate::store::{Claim, Had};
use rusqlite::{Connection, Result, Row, Statement, params};
use std::sync::Arc;

/// Time in which a further use of a name is not written, milliseconds: an hour. Names are kept for a day at least.
const USED_EVERY: u64 = 3_600_000;
/// Rows released in one step.
const RELEASED_PER_STEP: u32 = 500;

/// The tables `claims` and `freed`. Nothing is kept in memory.
pub(super) struct Claims<'c> {
    find: Statement<'c>,
    add: Statement<'c>,
    touch: Statement<'c>,
    remove: Statement<'c>,
    release: Statement<'c>,
    free: Statement<'c>,
    forget: Statement<'c>,
    list: Statement<'c>,
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
            free: connection.prepare("INSERT OR REPLACE INTO freed (name, at) VALUES (?1, ?2)")?,
            forget: connection.prepare("DELETE FROM freed WHERE at < ?1")?,
            list: connection.prepare("SELECT name, at FROM freed WHERE at >= ?1 ORDER BY name")?,
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

    /// Removes the claim to a name and notes that it was freed, in the open transaction.
    pub fn free(&mut self, name: &str, at: UnixMillis) -> Result<Had> {
        self.free.execute(params![name, signed(at.millis())])?;
        Ok(if self.remove.execute([name])? > 0 { Had::Claim } else { Had::Nothing })
    }

    /// The names that were freed at this time or later. The others are deleted, in the open transaction.
    pub fn freed(&mut self, since: UnixMillis) -> Result<Vec<(Arc<str>, UnixMillis)>> {
        self.forget.execute([signed(since.millis())])?;
        self.list_freed(since)
    }

    /// The same without a change.
    pub fn list_freed(&mut self, since: UnixMillis) -> Result<Vec<(Arc<str>, UnixMillis)>> {
        let freed = |row: &Row<'_>| Ok((row.get(0)?, UnixMillis::from_millis(unsigned(row.get(1)?))));
        self.list.query_map([signed(since.millis())], freed)?.collect()
    }

    /// Removes some of the claims that were used before this time only, in the open transaction.
    pub fn release(&mut self, before: UnixMillis) -> Result<Step> {
        let count = self.release.execute(params![signed(before.millis()), RELEASED_PER_STEP])?;
        Ok(if count < RELEASED_PER_STEP as usize { Step::Done } else { Step::More })
    }
}
