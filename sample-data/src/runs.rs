//! Pipelines and their jobs: waiting, running, failing, tried again.

use crate::calendar::{MINUTE, Sec};
use crate::catalogue::Provider;
use crate::history::CommitIx;
use crate::model::{Attempt, Job, Moment, Outcome, Run, What};
use crate::sim::{Sim, Todo};

/// Name, stage and share of the pipeline's time; jobs of one stage run side by side.
const JOBS: [(&str, &str, f64); 4] =
    [("compile", "build", 0.3), ("unit-tests", "test", 0.5), ("lint", "test", 0.2), ("image", "package", 0.2)];

/// A job that takes longer is stopped.
const TIMEOUT: Sec = 60 * MINUTE;

impl Sim<'_> {
    pub fn start_run(&mut self, commit: CommitIx, change: Option<usize>) {
        let id = self.wide_id();
        let by = self.world.repo.commits[commit].author;
        self.world.runs.push(Run {
            id,
            number: self.world.runs.len() as i64 + 1,
            commit,
            change,
            on_main: change.is_none(),
            by,
            created_at: self.now,
            attempts: Vec::new(),
        });
        let run = self.world.runs.len() - 1;
        let urgent = self.is_urgent(run);
        let fails = !urgent && self.draw.chance(self.service.flaky * if self.is_bad_week() { 2.5 } else { 1.0 });
        self.start_attempt(run, fails);
    }

    fn is_urgent(&self, run: usize) -> bool {
        let run = &self.world.runs[run];
        let change = run
            .change
            .or_else(|| self.versions.iter().rev().find(|version| version.commit == run.commit).and_then(|version| version.change));
        change.is_some_and(|change| self.world.changes[change].purpose.is_urgent())
    }

    fn start_attempt(&mut self, run: usize, fails: bool) {
        let queue_median = if self.is_bad_week() { 240.0 } else { 9.0 };
        let waits = match self.service.provider {
            Provider::Gitlab => self.draw.spread(queue_median),
            // GitHub's run counts as started when it is created; its jobs wait.
            Provider::Github => 0,
        };
        let started_at = self.now + waits;
        let number = self.world.runs[run].attempts.len();
        let mut attempt = match number {
            0 => self.first_jobs(started_at, fails),
            _ => self.jobs_again(run, started_at, fails),
        };
        if fails && self.draw.chance(0.05) && attempt.outcome == Outcome::Failure {
            attempt.outcome = Outcome::Cancelled;
            for job in attempt.jobs.iter_mut().filter(|job| job.outcome == Outcome::Failure) {
                job.outcome = Outcome::Cancelled;
            }
        }
        let finished_at = attempt.finished_at;
        let ends: Vec<(usize, Sec)> =
            attempt.jobs.iter().enumerate().filter_map(|(place, job)| job.ran.map(|(_, end)| (place, end))).collect();
        attempt.started = self.service.chatty;
        self.world.runs[run].attempts.push(attempt);
        if self.service.chatty {
            let moment = if self.service.provider == Provider::Github { Moment::Requested } else { Moment::Started };
            self.tell(What::Run { run, attempt: number, moment });
        }
        if self.tells_jobs() {
            for (job, end) in ends {
                self.at(end, Todo::JobEnds { run, attempt: number, job });
            }
        }
        self.at(finished_at, Todo::RunEnds(run));
    }

    /// GitHub tells of jobs only one by one; GitLab also in the pipeline's own hook.
    fn tells_jobs(&self) -> bool {
        self.service.chatty || self.service.provider == Provider::Github
    }

    fn first_jobs(&mut self, started_at: Sec, fails: bool) -> Attempt {
        let whole = self.service.pipeline_minutes * 60.0 * if self.is_bad_week() { 1.8 } else { 1.0 };
        let failing = if fails { Some(1 + self.draw.below(2)) } else { None };
        let mut jobs: Vec<Job> = Vec::new();
        let mut stage_from = started_at;
        let mut stage_to = started_at;
        let mut skipping = false;
        let created_at = self.now;
        for (place, (name, stage, share)) in JOBS.into_iter().enumerate() {
            if jobs.last().is_some_and(|job| job.stage != stage) {
                stage_from = stage_to;
                skipping = failing.is_some() && stage == "package";
            }
            let queued_at = stage_from;
            let id = self.wide_id();
            let runner = self.draw.between(1, 6);
            if skipping {
                jobs.push(Job { id, name, stage, created_at, queued_at, ran: None, outcome: Outcome::Skipped, runner });
                continue;
            }
            let from = queued_at + self.draw.between(1, 6);
            let mut to = from + self.draw.between((whole * share * 0.75) as Sec, (whole * share * 1.35) as Sec);
            let mut outcome = Outcome::Success;
            if failing == Some(place) {
                outcome = if self.draw.chance(0.06) { Outcome::Timeout } else { Outcome::Failure };
                if outcome == Outcome::Timeout {
                    to = from + TIMEOUT;
                }
            }
            stage_to = stage_to.max(to);
            jobs.push(Job { id, name, stage, created_at, queued_at, ran: Some((from, to)), outcome, runner });
        }
        // The pipeline counts as started with its first job.
        let began = jobs.iter().filter_map(|job| job.ran).map(|(from, _)| from).min().unwrap_or(started_at);
        let began = if self.service.provider == Provider::Github { started_at } else { began };
        let outcome = self.outcome_of(&jobs);
        Attempt { started_at: began, finished_at: stage_to, outcome, jobs, started: false, finished: false }
    }

    fn outcome_of(&self, jobs: &[Job]) -> Outcome {
        let timed_out = jobs.iter().any(|job| job.outcome == Outcome::Timeout);
        match (jobs.iter().all(|job| job.outcome == Outcome::Success), self.service.provider) {
            (true, _) => Outcome::Success,
            (false, Provider::Github) if timed_out => Outcome::Timeout,
            (false, _) => Outcome::Failure,
        }
    }

    /// What failed runs once more, and then what had been left out.
    fn jobs_again(&mut self, run: usize, started_at: Sec, fails: bool) -> Attempt {
        let whole = self.service.pipeline_minutes * 60.0;
        let last = &self.world.runs[run].attempts[self.world.runs[run].attempts.len() - 1];
        let redo: Vec<(&'static str, &'static str, i64, Outcome, i64)> =
            last.jobs.iter().map(|job| (job.name, job.stage, job.id, job.outcome, job.runner)).collect();
        let created_first = self.world.runs[run].created_at;
        let mut jobs = Vec::new();
        let mut from = started_at;
        for (name, stage, id, outcome, runner) in redo {
            if outcome == Outcome::Success {
                continue;
            }
            // GitLab runs a skipped job under the id it has; a failed one gets a new id, and at GitHub all do.
            let keeps_id = outcome == Outcome::Skipped && self.service.provider == Provider::Gitlab;
            let (id, created_at) = if keeps_id { (id, created_first) } else { (self.wide_id(), self.now) };
            if fails && outcome == Outcome::Skipped {
                jobs.push(Job { id, name, stage, created_at, queued_at: from, ran: None, outcome, runner });
                continue;
            }
            let begin = from + self.draw.between(1, 6);
            let end = begin + self.draw.between((whole * 0.15) as Sec, (whole * 0.5) as Sec);
            let outcome = if fails { Outcome::Failure } else { Outcome::Success };
            jobs.push(Job { id, name, stage, created_at, queued_at: from, ran: Some((begin, end)), outcome, runner });
            from = end;
        }
        let outcome = self.outcome_of(&jobs);
        Attempt { started_at, finished_at: from, outcome, jobs, started: false, finished: false }
    }

    pub fn run_ends(&mut self, run: usize) {
        let number = self.world.runs[run].attempts.len() - 1;
        self.world.runs[run].attempts[number].finished = true;
        let outcome = self.world.runs[run].attempts[number].outcome;
        self.tell(What::Run { run, attempt: number, moment: Moment::Finished });
        let on_main = self.world.runs[run].on_main;
        if outcome == Outcome::Success {
            if on_main {
                let commit = self.world.runs[run].commit;
                if let Some(version) = self.versions.iter().rposition(|version| version.commit == commit) {
                    let wait = self.draw.between(20, 90);
                    self.after(wait, Todo::Promote { environment: 0, version });
                }
            }
            return;
        }
        let tries = if on_main { 0.8 } else { 0.5 };
        // GitLab's job hooks and pipeline hooks would count the tries of one job differently: no second try where both are sent.
        let may = !(self.service.chatty && self.service.provider == Provider::Gitlab);
        if may && number < 2 && self.draw.chance(tries) {
            let wait = self.draw.between(3 * MINUTE, 40 * MINUTE);
            self.after(wait, Todo::RetryRun(run));
        }
    }

    pub fn retry_run(&mut self, run: usize) {
        let fails = self.draw.chance(0.15);
        self.start_attempt(run, fails);
    }
}
