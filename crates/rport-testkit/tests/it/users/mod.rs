//! Users of the API in every source there is, through the real server, its API and its command line.

mod cli;
mod expired;
mod groups;
mod manage;
mod outage;
mod rig;

/// Makes one test of each function for each source; the functions take the source and return `anyhow::Result<()>`.
macro_rules! for_each_source {
    ($($test:ident),+ $(,)?) => {
        $crate::users::for_each_source!(@in file File $($test)+);
        $crate::users::for_each_table!($($test),+);
    };
    (@in $module:ident $source:ident $($test:ident)+) => {
        mod $module {
            use crate::users::rig::Source;
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

/// The same for the databases only.
macro_rules! for_each_table {
    ($($test:ident),+ $(,)?) => {
        $crate::users::for_each_source!(@in sqlite Sqlite $($test)+);
        $crate::users::for_each_source!(@in mariadb MariaDb $($test)+);
        $crate::users::for_each_source!(@in postgres Postgres $($test)+);
    };
}
use for_each_table;
