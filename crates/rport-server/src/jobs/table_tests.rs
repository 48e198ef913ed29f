use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use rport_store::StartRule;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
}

/// What may happen to the jobs of an order.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The server starts what it can.
    Start,
    /// The client of a job that is being started is not there.
    Away(usize),
    /// It comes back.
    Back(usize),
    /// It runs the job.
    Runs(usize),
    /// Nobody knows whether it does.
    Lost(usize),
    /// A job ends, well or not.
    Ends(usize, bool),
    /// Somebody cancels a job that waits.
    Cancel(usize),
    /// Time passes, in seconds.
    Time(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Start),
        any::<usize>().prop_map(Step::Away),
        any::<usize>().prop_map(Step::Back),
        any::<usize>().prop_map(Step::Runs),
        any::<usize>().prop_map(Step::Lost),
        (any::<usize>(), any::<bool>()).prop_map(|(job, well)| Step::Ends(job, well)),
        any::<usize>().prop_map(Step::Cancel),
        (0u64..200).prop_map(Step::Time),
    ]
}

struct Rig {
    table: Table,
    multi: JobId,
    jobs: Vec<JobId>,
    now: DateTime<Utc>,
    /// Asked to run, as far as anybody can see.
    taken: HashSet<JobId>,
}

impl Rig {
    fn new(jobs: usize, pace: JobPace, queue: bool) -> Self {
        let multi = JobId::new("multi");
        let mut table = Table::default();
        table.add_multi(&multi, pace);
        let jobs: Vec<JobId> = (0..jobs).map(|number| JobId::new(number.to_string())).collect();
        for id in &jobs {
            let facts = Facts {
                id: id.clone(),
                // Two jobs of each client.
                client: ClientId::new(format!("c{}", id.as_str().len())),
                client_name: String::new(),
                multi: Some(multi.clone()),
                schedule: None,
                created_by: "admin".into(),
                order: Arc::default(),
                rule: StartRule {
                    not_after: now() + TimeDelta::seconds(if queue { 1000 } else { 60 }),
                    queue,
                    stream: false,
                },
                resumed: false,
            };
            table.add(Arc::new(facts), Stage::Waiting, None);
        }
        table.fill(&multi, now());
        Self {
            table,
            multi,
            jobs,
            now: now(),
            taken: HashSet::new(),
        }
    }

    fn stage(&self, job: usize) -> Option<(JobId, Stage)> {
        let id = self.jobs[job % self.jobs.len()].clone();
        let stage = self.table.get(&id)?.stage;
        Some((id, stage))
    }

    fn end(&mut self, id: &JobId, failed: bool) {
        let removed = self.table.remove(id, failed, self.now);
        let (_, consequences) = removed.expect("it was there");
        for stopped in consequences.stop {
            self.end(&stopped, false);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Start => {
                while let Some(start) = self.table.next_start() {
                    assert_eq!(
                        start.again,
                        self.taken.contains(&start.facts.id),
                        "asked for again only then"
                    );
                    // One start per attempt lands at once here; what came of it follows.
                    self.table.landed();
                }
            }
            Step::Away(job) => match self.stage(job) {
                Some((id, Stage::Starting { asked: false })) => self.table.park(&id, None, self.now),
                Some((id, Stage::Starting { asked: true })) => {
                    self.table
                        .uncertain(&id, None, self.now + TimeDelta::seconds(120));
                }
                _ => {}
            },
            Step::Back(job) => {
                if let Some((id, _)) = self.stage(job) {
                    let client = self.table.get(&id).expect("there").facts.client.clone();
                    self.table.connected(&client, self.now);
                }
            }
            Step::Runs(job) => {
                if let Some((id, Stage::Starting { .. })) = self.stage(job)
                    && self.table.asking(&id, Hidden::default())
                {
                    self.taken.insert(id.clone());
                    self.table.started(&id, self.now + TimeDelta::seconds(120));
                }
            }
            Step::Lost(job) => {
                if let Some((id, Stage::Starting { .. })) = self.stage(job)
                    && self.table.asking(&id, Hidden::default())
                {
                    self.taken.insert(id.clone());
                    self.table
                        .uncertain(&id, None, self.now + TimeDelta::seconds(120));
                }
            }
            Step::Ends(job, well) => {
                if let Some((id, Stage::Running { .. } | Stage::Uncertain)) = self.stage(job) {
                    self.end(&id, !well);
                }
            }
            Step::Cancel(job) => {
                if let Some((id, _)) = self.stage(job)
                    && self.table.begin_ending(&id)
                {
                    self.end(&id, false);
                }
            }
            Step::Time(seconds) => {
                self.now += Duration::from_secs(seconds);
                let due = self.table.due(self.now, self.now + TimeDelta::seconds(60));
                for facts in due.expired.iter().chain(&due.lost) {
                    self.end(&facts.id, false);
                }
                for id in &due.stopped {
                    self.end(id, false);
                }
            }
        }
    }

    /// What must be so at any time.
    fn check(&self) {
        let with_turn = self.table.jobs.values().filter(|open| open.has_turn).count();
        if let Some(multi) = self.table.multis.get(&self.multi) {
            assert_eq!(multi.active, with_turn);
            assert_eq!(multi.open.len(), self.table.jobs.len());
            if let Some(at_once) = multi.pace.at_once {
                assert!(multi.active <= at_once, "{} at once", multi.active);
            }
        } else {
            assert!(self.table.jobs.is_empty(), "jobs of an order that is over");
        }
        let busy = self.table.jobs.values().filter(|open| open.busy).count();
        assert_eq!(self.table.busy.values().sum::<usize>(), busy);
        assert_eq!(self.table.in_flight, 0);
        for (client, parked) in &self.table.parked {
            for (_, id) in parked {
                let open = self.table.jobs.get(id).expect("nothing parked is gone");
                assert_eq!(&open.facts.client, client);
            }
        }
    }

    /// Whatever happened before: when everybody is there and does what it is asked, all of it ends.
    fn run_to_the_end(&mut self) {
        for _ in 0..self.jobs.len() * 4 + 4 {
            // No time passes: nothing may need a deadline to end.
            for job in 0..self.jobs.len() {
                self.step(Step::Back(job));
            }
            self.step(Step::Time(0));
            self.step(Step::Start);
            for job in 0..self.jobs.len() {
                self.step(Step::Runs(job));
                self.step(Step::Ends(job, true));
            }
        }
        assert!(self.table.jobs.is_empty(), "{:?} hang", self.table.jobs.keys());
        assert!(self.table.multis.is_empty() && self.table.parked.is_empty() && self.table.busy.is_empty());
    }
}

proptest! {
    #[test]
    fn no_order_hangs_and_none_runs_more_than_it_may(
        jobs in 1usize..14,
        at_once in prop::option::of(1usize..4),
        abort_on_error: bool,
        queue: bool,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut rig = Rig::new(jobs, JobPace { at_once, abort_on_error }, queue);
        for step in steps {
            rig.step(step);
            rig.check();
        }
        rig.run_to_the_end();
    }
}

#[test]
fn no_more_than_so_many_are_on_their_way() {
    let pace = JobPace {
        at_once: None,
        abort_on_error: false,
    };
    let mut rig = Rig::new(MAX_IN_FLIGHT + 10, pace, false);
    let started = std::iter::from_fn(|| rig.table.next_start()).count();
    assert_eq!(started, MAX_IN_FLIGHT);
    rig.table.landed();
    assert!(rig.table.next_start().is_some() && rig.table.next_start().is_none());
}
