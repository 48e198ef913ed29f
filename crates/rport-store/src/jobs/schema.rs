//! The tables of `jobs.db`. Source: storage.md 4.1.

use crate::migrations::Migration;

/// Tables and indexes of the Go server, which reads rows with `SELECT *`.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "
            CREATE TABLE multi_jobs (
                jid TEXT PRIMARY KEY NOT NULL,
                started_at DATETIME NOT NULL,
                created_by TEXT NOT NULL,
                details TEXT NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE jobs (
                jid TEXT PRIMARY KEY NOT NULL,
                status TEXT NOT NULL,
                started_at DATETIME NOT NULL,
                finished_at DATETIME,
                created_by TEXT NOT NULL,
                client_id TEXT NOT NULL,
                multi_job_id TEXT,
                details TEXT NOT NULL,
                FOREIGN KEY (multi_job_id) REFERENCES multi_jobs(jid)
            ) WITHOUT ROWID;
            CREATE INDEX idx_jobs_client_id_time ON jobs (client_id, finished_at DESC);
            CREATE INDEX idx_jobs_multi_id ON jobs (multi_job_id);
        ",
    },
    Migration {
        version: 2,
        sql: "
            CREATE TABLE schedules (
                id TEXT PRIMARY KEY NOT NULL,
                created_at DATETIME NOT NULL,
                created_by TEXT NOT NULL,
                name TEXT NOT NULL,
                schedule TEXT NOT NULL,
                type TEXT NOT NULL,
                details TEXT NOT NULL
            );
        ",
    },
    Migration {
        version: 3,
        sql: "ALTER TABLE multi_jobs ADD COLUMN schedule_id TEXT NULL;",
    },
];

/// Tables and indexes of our own, which the Go server leaves alone. Instants are microseconds since 1970.
///
/// A row of `job_orders` says how an unfinished job is to be started; it goes when the job ends. A row of
/// `multi_job_extras` stays as long as its multi-job. A row of `schedule_extras` has what a schedule says beyond the
/// Go server's table, the timetable for which that was written, and how far it has got (`expires` is in nanoseconds);
/// one of `schedule_runs` what came of a due time. Its times are texts, as lists compare them.
pub(super) const OWN: &[&str] = &[
    "
    CREATE TABLE job_orders (
        jid TEXT PRIMARY KEY NOT NULL,
        position INTEGER NOT NULL,
        phase TEXT NOT NULL,
        not_after INTEGER NOT NULL,
        queue INTEGER NOT NULL,
        stream INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE multi_job_extras (
        jid TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        at_once INTEGER,
        phase TEXT NOT NULL,
        not_after INTEGER NOT NULL,
        queue INTEGER NOT NULL,
        stream INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX own_multi_job_extras_running ON multi_job_extras (phase) WHERE phase = 'running';
    CREATE INDEX own_jobs_open ON jobs (status) WHERE status IN ('waiting', 'running');
    CREATE INDEX own_jobs_multi_status ON jobs (multi_job_id, status);
    CREATE INDEX own_multi_jobs_time ON multi_jobs (started_at DESC);
    CREATE INDEX own_multi_jobs_schedule ON multi_jobs (schedule_id, started_at DESC);
",
    "
    CREATE TABLE schedule_extras (
        schedule_id TEXT PRIMARY KEY NOT NULL,
        schedule TEXT NOT NULL,
        since INTEGER NOT NULL,
        done_until INTEGER NOT NULL,
        jitter_sec INTEGER NOT NULL,
        missed TEXT NOT NULL,
        paused INTEGER NOT NULL,
        queue_if_offline INTEGER NOT NULL,
        expires INTEGER,
        parameters TEXT,
        max_concurrent INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE schedule_runs (
        schedule_id TEXT NOT NULL,
        due_at DATETIME NOT NULL,
        handled_at DATETIME NOT NULL,
        outcome TEXT NOT NULL,
        multi_job_id TEXT,
        reason TEXT NOT NULL,
        requested_by TEXT,
        PRIMARY KEY (schedule_id, due_at)
    ) WITHOUT ROWID;
    CREATE INDEX own_schedule_runs_open ON schedule_runs (schedule_id) WHERE outcome = 'ordering';
",
];
