//! The numbers of the users in the file.

use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Users whose numbers are kept in memory; over it all are forgotten, and looked up again.
const CACHED_MAX: usize = 16_384;

/// Finds the number of a name and the name of a number.
pub(super) struct Users<'c> {
    connection: &'c Connection,
    find: Statement<'c>,
    name: Statement<'c>,
    insert: Statement<'c>,
    numbers: HashMap<Arc<str>, i64>,
    names: HashMap<i64, Arc<str>>,
}

impl<'c> Users<'c> {
    pub fn new(connection: &'c Connection) -> Result<Users<'c>> {
        Ok(Users {
            connection,
            find: connection.prepare("SELECT number FROM users WHERE name = ?1")?,
            name: connection.prepare("SELECT name FROM users WHERE number = ?1")?,
            insert: connection.prepare("INSERT INTO users (name) VALUES (?1) RETURNING number")?,
            numbers: HashMap::new(),
            names: HashMap::new(),
        })
    }

    /// The number of `name`, if it has one.
    pub fn find(&mut self, name: &Arc<str>) -> Result<Option<i64>> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(Some(number));
        }
        let found = self.find.query_row([&**name], |row| row.get(0)).optional()?;
        if let Some(number) = found {
            self.remember(number, name.clone());
        }
        Ok(found)
    }

    /// The number of `name`, a new one if it has none.
    pub fn find_or_add(&mut self, name: &Arc<str>) -> Result<i64> {
        if let Some(number) = self.find(name)? {
            return Ok(number);
        }
        let number = self.insert.query_row([&**name], |row| row.get(0))?;
        self.remember(number, name.clone());
        Ok(number)
    }

    /// The name of the user with this number.
    ///
    /// # Errors
    /// `QueryReturnedNoRows` if there is none: the file is damaged.
    pub fn name(&mut self, number: i64) -> Result<Arc<str>> {
        if let Some(name) = self.names.get(&number) {
            return Ok(name.clone());
        }
        let name: Arc<str> = self.name.query_row([number], |row| row.get(0))?;
        self.remember(number, name.clone());
        Ok(name)
    }

    /// Another name for this user, in the open transaction. The old one is nowhere in the table any more: SQLite moves
    /// rows to other pages to make place, and leaves copies that `secure_delete` does not know, so all pages are made
    /// anew. That takes about a second for half a million users.
    pub fn rename(&mut self, number: i64, name: &str) -> Result<()> {
        self.connection
            .execute("CREATE TEMP TABLE named AS SELECT number, name FROM users WHERE number != ?1", [number])?;
        self.connection.execute("INSERT INTO named (number, name) VALUES (?1, ?2)", params![number, name])?;
        self.connection.execute_batch(
            "DELETE FROM users;
             INSERT INTO users (number, name) SELECT number, name FROM named ORDER BY number;
             DROP TABLE named",
        )?;
        self.forget();
        Ok(())
    }

    /// Forgets what is in memory: a transaction was rolled back, and its new numbers with it.
    pub fn forget(&mut self) {
        self.numbers.clear();
        self.names.clear();
    }

    fn remember(&mut self, number: i64, name: Arc<str>) {
        if self.numbers.len() >= CACHED_MAX {
            self.forget();
        }
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema::{STEPS, upgrade};

    #[test]
    fn many_users_are_found_again_after_they_are_forgotten() {
        let connection = Connection::open_in_memory().expect("a database in memory");
        upgrade(&connection, 0, STEPS).expect("the tables");
        let mut users = Users::new(&connection).expect("statements");
        assert_eq!(users.find(&"ann".into()).expect("it can be read"), None);
        assert!(users.name(1).is_err());
        let ann = users.find_or_add(&"ann".into()).expect("ann is added");
        for n in 0..CACHED_MAX {
            users.find_or_add(&format!("user {n}").into()).expect("it is added");
        }
        assert!(users.numbers.len() <= CACHED_MAX && users.names.len() == users.numbers.len());
        assert_eq!(users.find_or_add(&"ann".into()).expect("it is found"), ann);
        users.forget();
        assert_eq!(users.name(ann).as_deref(), Ok("ann"));
    }
}
