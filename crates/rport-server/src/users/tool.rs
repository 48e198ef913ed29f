//! Users for the command line: the same sources and rules, without a server around them.

use std::sync::Arc;

use rport_domain::{Error, UserName};
use rport_runtime::{Clock, Secret, Tasks};
use rport_store::{DatabaseOptions, UserTableNames};

use super::accounts::Accounts;
use super::options::UserOptions;
use super::password::Passwords;
use super::provider::CHANGED;
use super::requests::{NewUser, UserUpdate, UserView};
use super::{open, table};
use crate::error::StartError;

/// Length of generated passwords: letters and digits, more than 180 bits, and within what bcrypt looks at.
const GENERATED_LENGTH: usize = 32;
/// Others may write the same file at the same time; each of them makes us look again.
const ATTEMPTS: usize = 100;

/// The users of one source, for the command line.
///
/// Works beside a running server. With tables the server sees every change within seconds. With a file it goes on with
/// what it has read, refuses to overwrite the change, and takes it over at its next reload (SIGHUP). Sessions of a
/// running server are not ended by password changes; that is what the API is for.
pub struct UserTool {
    options: UserOptions,
    tasks: Tasks,
}

impl UserTool {
    /// Takes the source without looking at it yet.
    pub fn new(options: UserOptions, tasks: &Tasks) -> Self {
        Self {
            options,
            tasks: tasks.clone(),
        }
    }

    /// Checks that the tables exist and are sound.
    ///
    /// # Errors
    /// What is wrong, as one line that contains the SQL to run.
    pub async fn check_tables(
        database: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        table::TableSource::check(database, names, tasks).await
    }

    /// Creates the tables that are missing, and checks all.
    ///
    /// # Errors
    /// As [`Self::check_tables`].
    pub async fn create_tables(
        database: &DatabaseOptions,
        names: &UserTableNames,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        table::TableSource::create(database, names, tasks).await
    }

    /// Makes a strong password.
    pub fn generate_password() -> Secret {
        Secret::new(rport_runtime::rng::alphanumeric(GENERATED_LENGTH))
    }

    /// All users.
    ///
    /// # Errors
    /// What is wrong with the source.
    pub async fn list(&self) -> Result<Vec<UserView>, Error> {
        let users = self.open().await?.provider.list().await?;
        Ok(users.iter().map(|user| UserView::from(&**user)).collect())
    }

    /// Adds a user by the rules of the API.
    ///
    /// # Errors
    /// `Invalid`, `Conflict`, `Unavailable` as the API.
    pub async fn add(&self, new: NewUser) -> Result<(), Error> {
        self.change(async |accounts| accounts.add(new.clone()).await.map(drop))
            .await
    }

    /// Changes a user by the rules of the API.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Conflict`, `Unavailable` as the API.
    pub async fn update(&self, name: &UserName, update: UserUpdate) -> Result<(), Error> {
        self.change(async |accounts| accounts.update(name, update.clone()).await.map(drop))
            .await
    }

    /// Removes a user by the rules of the API.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Unavailable` as the API.
    pub async fn delete(&self, name: &UserName) -> Result<(), Error> {
        self.change(async |accounts| accounts.delete(name).await).await
    }

    /// Makes a change. A file that somebody else changed since it was read is read again.
    async fn change(&self, change: impl AsyncFn(&Accounts) -> Result<(), Error>) -> Result<(), Error> {
        for _ in 1..ATTEMPTS {
            match change(&self.open().await?).await {
                Err(error) if error.code == CHANGED => {}
                outcome => return outcome,
            }
        }
        change(&self.open().await?).await
    }

    async fn open(&self) -> Result<Accounts, Error> {
        let (options, clock) = (&self.options, Clock::system());
        let provider = open(options, &clock, &self.tasks).await;
        let provider = provider.map_err(|error| Error::invalid(error.to_string()))?;
        let passwords = Passwords::new(options.rules, options.hash_form(), clock, self.tasks.clone());
        Ok(Accounts::new(
            provider,
            Arc::new(passwords),
            options.send_to.clone(),
        ))
    }
}
