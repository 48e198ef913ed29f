//! Credentials of agents: each promise of the operators' documentation, against every source there is, through the
//! real server and its API.

mod agent_side;
mod binding;
mod cli;
mod durability;
mod hashing;
mod hostile;
mod outage;
mod rig;
mod scale;
mod secrets;
mod seed;
mod start;

/// Makes one test of each function for each source; the functions take the source and return `anyhow::Result<()>`.
macro_rules! for_each_source {
    ($($test:ident),+ $(,)?) => {
        for_each_source!(@in file File $($test)+);
        for_each_source!(@in sqlite Sqlite $($test)+);
        for_each_source!(@in mariadb MariaDb $($test)+);
        for_each_source!(@in postgres Postgres $($test)+);
    };
    (@in $module:ident $source:ident $($test:ident)+) => {
        mod $module {
            use crate::client_auth::rig::Source;
            $(
                #[tokio::test]
                async fn $test() -> anyhow::Result<()> {
                    super::$test(Source::$source).await
                }
            )+
        }
    };
}
use for_each_source;
