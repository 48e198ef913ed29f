//! Jobs while they run: what comes over a WebSocket becomes lines with the name of the client before them, and in the
//! end a table and an exit code. A lost connection is made again; the jobs do not notice.

mod harmless;
mod outcome;
mod printer;
mod progress;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub(crate) use harmless::harmless;
pub(crate) use outcome::{COLUMNS, EXPLAINED, Outcome, exit_code, told};
pub(crate) use printer::{Printer, Style};

use self::progress::Progress;
use crate::{
    cli::Session,
    client::{Api, Query, Socket, segment},
    failure::{Exit, Failure, Result},
    output::{PageArgs, note},
    reach::Stop,
};

/// How long a lost connection is tried again.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many jobs the server sends at once.
const PAGE: usize = 1000;

/// Which job is followed.
#[derive(Debug, Clone)]
pub(crate) enum Followed {
    /// One order to many clients.
    Multi(String),
    /// A job of one client, and that client.
    Single(String, String),
}

impl Followed {
    fn id(&self) -> &str {
        match self {
            Self::Multi(id) | Self::Single(id, _) => id,
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Multi(id) => format!("/commands/{}", segment(id)),
            Self::Single(id, client) => {
                format!("/clients/{}/commands/{}", segment(client), segment(id))
            }
        }
    }

    /// The words that follow it again.
    fn words(&self) -> String {
        match self {
            Self::Multi(id) => format!("rportcli jobs follow {id}"),
            Self::Single(id, client) => format!("rportcli jobs follow {id} -c {client}"),
        }
    }

    /// Asks the server to end it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn cancel(&self, api: &Api) -> Result<Value> {
        let path = format!("{}/cancel", self.path());
        api.post(&path, &Query::new(), &json!({})).await
    }
}

/// What comes of a message.
enum Step {
    /// There is more to come.
    On,
    /// The connection has ended.
    Lost,
    /// The operator wants it to end.
    Stopped,
}

/// Follows jobs to their end.
pub(crate) struct Follow<'a> {
    session: &'a Session,
    api: &'a Api,
    followed: Option<Followed>,
    printer: Printer,
    progress: Progress,
    /// Jobs that have ended, by id, and in which order they did.
    ended: HashMap<String, usize>,
    jobs: Vec<Value>,
    total: Option<usize>,
    cancelled: bool,
}

impl<'a> Follow<'a> {
    /// Follows what is told on a socket.
    pub(crate) fn new(session: &'a Session, api: &'a Api, style: Style) -> Self {
        Self {
            session,
            api,
            followed: None,
            printer: Printer::new(style, session.out.for_people()),
            progress: Progress::new(session.out.for_people()),
            ended: HashMap::new(),
            jobs: Vec::new(),
            total: None,
            cancelled: false,
        }
    }

    /// Follows a job that was ordered before.
    ///
    /// # Errors
    /// When there is no such job, and whatever the server or the way to it gives.
    pub(crate) async fn again(mut self, followed: Followed) -> Result<u8> {
        self.followed = Some(followed);
        let mut stop = Stop::listen()?;
        let socket = self.attach().await?;
        self.look().await?;
        self.until_end(socket, &mut stop).await
    }

    /// Orders over a socket and follows what comes of it.
    ///
    /// # Errors
    /// When the order is refused, and whatever the server or the way to it gives.
    pub(crate) async fn order(mut self, path: &str, body: &Value) -> Result<u8> {
        let mut stop = Stop::listen()?;
        let mut socket = self.api.socket(path).await?;
        socket.send(body).await?;
        // Until the server says which job it is, there is nothing to cancel: leaving leaves it alone.
        while self.followed.is_none() {
            match self.step(&mut socket, &mut stop).await? {
                Step::On => {}
                Step::Lost => {
                    return Err(Failure::new(
                        Exit::Unreachable,
                        "the connection was lost before the server said whether it took the order",
                    )
                    .hint("look before ordering again: rportcli jobs list"));
                }
                Step::Stopped => return Err(Failure::interrupted()),
            }
        }
        self.until_end(socket, &mut stop).await
    }

    async fn until_end(mut self, socket: Socket, stop: &mut Stop) -> Result<u8> {
        let mut socket = Some(socket);
        let mut lost_since: Option<Instant> = None;
        while !self.is_done() {
            let Some(open) = &mut socket else {
                // It may have ended meanwhile; what was missed is in the records.
                match self.catch_up(lost_since).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(failure) => return Err(failure.hint(self.hint())),
                }
                let attaching = self.attach();
                tokio::select! {
                    attached = attaching => socket = attached.ok(),
                    _ = stop.wanted() => return Err(self.left()),
                }
                if socket.is_none() {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(2)) => {}
                        _ = stop.wanted() => return Err(self.left()),
                    }
                }
                continue;
            };
            match self.step(open, stop).await? {
                Step::On => lost_since = None,
                Step::Lost => {
                    socket = None;
                    lost_since.get_or_insert_with(Instant::now);
                }
                Step::Stopped if self.cancelled => return Err(self.left()),
                Step::Stopped => self.cancel().await?,
            }
        }
        self.end()
    }

    fn is_done(&self) -> bool {
        match self.followed {
            Some(Followed::Single(..)) => !self.jobs.is_empty(),
            _ => self.total.is_some_and(|total| self.jobs.len() >= total),
        }
    }

    async fn step(&mut self, socket: &mut Socket, stop: &mut Stop) -> Result<Step> {
        let frame = tokio::select! {
            frame = socket.next() => frame?,
            _ = stop.wanted() => return Ok(Step::Stopped),
        };
        let Some(frame) = frame else {
            return Ok(Step::Lost);
        };
        self.take(frame).await?;
        Ok(Step::On)
    }

    async fn take(&mut self, frame: Value) -> Result<()> {
        if self.followed.is_none()
            && let Some(id) = frame.get("multi_job_id").and_then(Value::as_str)
        {
            self.followed = Some(Followed::Multi(id.to_owned()));
            self.look().await?;
        }
        if !frame["finished_at"].is_null() {
            self.ended(frame)?;
        } else if frame.get("result").is_some() {
            let printer = &mut self.printer;
            self.progress.beside(|| printer.chunk(&frame))?;
        }
        Ok(())
    }

    fn ended(&mut self, job: Value) -> Result<()> {
        let id = job["jid"].as_str().unwrap_or_default().to_owned();
        if self.ended.contains_key(&id) {
            return Ok(());
        }
        self.ended.insert(id, self.jobs.len());
        let printer = &mut self.printer;
        self.progress.beside(|| printer.finished(&job))?;
        self.session.out.item(&job)?;
        let mut job = job;
        if !self.session.out.collects() && job["result"].is_object() {
            // Thousands of outputs are not kept for a table that does not show them.
            job["result"] = json!({});
        }
        self.jobs.push(job);
        self.progress.set(self.jobs.len(), &self.jobs);
        Ok(())
    }

    /// Asks how many jobs there are.
    async fn look(&mut self) -> Result<()> {
        let Some(followed) = self.followed.clone() else {
            return Ok(());
        };
        if let Followed::Single(..) = followed {
            self.total = Some(1);
            return Ok(());
        }
        let record = self.api.get(&followed.path(), &Query::new()).await?;
        let total = record.pointer("/counts/total").and_then(Value::as_u64);
        self.total = total.and_then(|total| usize::try_from(total).ok());
        if self.total.is_none() {
            return Err(
                Failure::error("the server does not say how many clients take part")
                    .hint("it is too old for this; use --detach"),
            );
        }
        self.progress.start(self.total.unwrap_or_default());
        if self.session.out.for_people() && self.jobs.is_empty() {
            let clients = match self.total {
                Some(1) => "1 client".to_owned(),
                total => format!("{} clients", total.unwrap_or_default()),
            };
            self.progress.beside(|| {
                note(&format!("job {} on {clients}", followed.id()));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// After a loss: takes the ends of jobs from the records. Returns whether all have ended.
    async fn catch_up(&mut self, lost_since: Option<Instant>) -> Result<bool> {
        let Some(followed) = self.followed.clone() else {
            return Ok(false);
        };
        let read = self.read_ends(&followed).await;
        match read {
            Ok(()) => Ok(self.is_done()),
            // A server that is away comes back.
            Err(failure)
                if failure.exit() == Exit::Unreachable
                    && lost_since.is_some_and(|since| since.elapsed() < PATIENCE) =>
            {
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn read_ends(&mut self, followed: &Followed) -> Result<()> {
        let jobs = match followed {
            Followed::Single(..) => vec![self.api.get(&followed.path(), &Query::new()).await?],
            Followed::Multi(_) => children(self.api, &followed.path()).await?,
        };
        for job in jobs {
            if !job["finished_at"].is_null() {
                self.ended(job)?;
            }
        }
        Ok(())
    }

    async fn attach(&self) -> Result<Socket> {
        let id = self.followed.as_ref().map(Followed::id).unwrap_or_default();
        self.api.socket(&format!("/ws/jobs/{}", segment(id))).await
    }

    async fn cancel(&mut self) -> Result<()> {
        self.cancelled = true;
        let Some(followed) = self.followed.clone() else {
            return Ok(());
        };
        self.progress.beside(|| {
            note("cancelling; Ctrl-C again leaves at once and lets the job go on");
            Ok(())
        })?;
        let answer = followed.cancel(self.api).await;
        if let Err(failure) = answer {
            self.progress.beside(|| {
                note(&failure.to_string());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn hint(&self) -> String {
        match &self.followed {
            Some(followed) => format!("the job goes on; follow it with: {}", followed.words()),
            None => String::new(),
        }
    }

    fn left(&self) -> Failure {
        Failure::interrupted().hint(self.hint())
    }

    fn end(mut self) -> Result<u8> {
        self.progress.end();
        let out = &self.session.out;
        let outcomes: Vec<Outcome> = self.jobs.iter().map(Outcome::of).collect();
        if out.for_people() || out.is_csv() {
            let rows: Vec<Value> = self.jobs.iter().map(told).collect();
            out.summary(&COLUMNS, &rows)?;
            if out.for_people() && rows.len() > 1 {
                note(&outcome::sentence(&outcomes));
            }
        } else {
            out.items_end(&self.jobs)?;
        }
        if self.cancelled {
            return Ok(Exit::Interrupted as u8);
        }
        Ok(exit_code(&outcomes))
    }
}

/// All jobs of a multi-job with their results, those that ended first coming first.
///
/// # Errors
/// Whatever the server or the way to it gives.
pub(crate) async fn children(api: &Api, path: &str) -> Result<Vec<Value>> {
    let query = Query::new()
        .with("sort", "finished_at")
        .with(
            "fields[jobs]",
            "jid,status,finished_at,client_id,client_name,command,pid,started_at,created_by,multi_job_id,error,is_script",
        )
        .with("fields[result]", "stdout,stderr,summary");
    let page = PageArgs::everything()
        .fetch(api, &format!("{path}/jobs"), &query, PAGE)
        .await?;
    Ok(page.items)
}
