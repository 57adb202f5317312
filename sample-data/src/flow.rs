//! The life of a change: written, pushed, opened, reviewed, merged or given up.

use crate::calendar::{self, HOUR, MINUTE, Sec};
use crate::catalogue::{Landing, PRODUCTION, Provider};
use crate::history::{CommitIx, Words};
use crate::model::{Act, Change, Purpose, Push, What};
use crate::people::{self, Person};
use crate::sim::{Sim, Todo, Version};

const VERBS: [&str; 10] = ["Add", "Improve", "Simplify", "Cache", "Validate", "Speed up", "Log", "Rework", "Limit", "Document"];
const THINGS: [&str; 16] = [
    "price rounding",
    "the order timeout",
    "address checks",
    "the stock lookup",
    "currency handling",
    "request tracing",
    "the retry budget",
    "page size",
    "the session store",
    "tax for Norway",
    "error messages",
    "the event schema",
    "discount rules",
    "connection pooling",
    "the health check",
    "image thumbnails",
];
const STEPS: [&str; 8] = [
    "Sketch it",
    "Make it work",
    "Cover it with tests",
    "Name things better",
    "Handle the empty case",
    "Follow the linter",
    "Read the limit from the configuration",
    "Say it in the README",
];
const LIBRARIES: [&str; 5] = ["grpc", "pgx", "otel", "zap", "yaml"];

/// The most commits that GitLab lists in one push.
pub const GITLAB_PUSH_LIMIT: usize = 20;

impl Sim<'_> {
    pub fn begin(&mut self, purpose: Purpose) {
        let number = self.world.changes.len() as i64 + 1;
        let author = match (purpose, self.service.provider) {
            (Purpose::Upkeep, Provider::Gitlab) => people::renovate(),
            (Purpose::Upkeep, Provider::Github) => people::dependabot(),
            _ => self.somebody(),
        };
        let (title, branch, description) = self.name_change(purpose, number);
        let mut labels = Vec::new();
        match purpose {
            Purpose::Upkeep => labels.push("dependencies"),
            Purpose::Hotfix => labels.push("hotfix"),
            Purpose::Revert | Purpose::Repair => labels.push("bug"),
            Purpose::Feature => {
                let label = *self.draw.pick(&["feature", "bug", "tech-debt"]);
                if self.draw.chance(0.7) {
                    labels.push(label);
                }
            }
        }
        let authored = self.write_times(purpose);
        let by_people = purpose == Purpose::Feature;
        let draft = self.service.provider == Provider::Github && by_people && self.draw.chance(0.2);
        let several = authored.len() > 1;
        let change = Change {
            number,
            purpose,
            title,
            description,
            author,
            reviewer: self.somebody_but(author),
            labels,
            branch,
            authored,
            commits: Vec::new(),
            base: self.main,
            draft,
            auto_merge: self.service.landing == Landing::Rebase && several || self.draw.chance(0.5),
            second_push: by_people && self.draw.chance(0.3),
            abandoned: by_people && self.draw.chance(0.04),
            additions: 8 + self.draw.spread(60.0),
            deletions: self.draw.spread(25.0),
            files: self.draw.between(1, 7),
            opened_at: None,
            ready_at: None,
            first_review_at: None,
            approved_at: None,
            merged_at: None,
            closed_at: None,
            landed: None,
            version: None,
        };
        // A rebase that makes several commits is one that the payload must tell, which only auto-merge does.
        let change = match self.service.landing {
            Landing::Rebase if change.second_push => Change { auto_merge: true, ..change },
            _ => change,
        };
        let pushed_at = change.authored.last().copied().unwrap_or(self.now) + 2 * MINUTE;
        self.world.changes.push(change);
        let place = self.world.changes.len() - 1;
        if matches!(purpose, Purpose::Hotfix | Purpose::Revert) {
            self.set_remedy(place);
        }
        if purpose == Purpose::Repair {
            self.awaited = Some(place);
        }
        self.at(pushed_at.max(self.now), Todo::FirstPush(place));
    }

    fn name_change(&mut self, purpose: Purpose, number: i64) -> (String, String, String) {
        let thing = *self.draw.pick(&THINGS);
        let slug = thing.to_lowercase().replace(' ', "-");
        match purpose {
            Purpose::Feature => {
                let title = format!("{} {thing}", self.draw.pick(&VERBS));
                (title, format!("feature/{slug}-{number}"), "See the ticket for the reasons.".to_owned())
            }
            Purpose::Upkeep => {
                let library = *self.draw.pick(&LIBRARIES);
                let minor = number % 40;
                let title = format!("Bump {library} from 1.{minor}.0 to 1.{}.0", minor + 1);
                (title, format!("deps/{library}-{number}"), format!("Bumps {library}."))
            }
            Purpose::Repair => (format!("Fix {thing}"), format!("fix/{slug}-{number}"), "What the rollback was for.".to_owned()),
            Purpose::Hotfix => (format!("Fix {thing} at once"), format!("hotfix/{slug}-{number}"), "Production is broken.".to_owned()),
            Purpose::Revert => {
                let culprit = self.culprit();
                let title = culprit.map_or("the last change", |change| self.world.changes[change].title.as_str());
                (format!("Revert \"{title}\""), format!("revert-{number}"), "Takes back what broke production.".to_owned())
            }
        }
    }

    /// When the commits of the first push are written, from now on.
    fn write_times(&mut self, purpose: Purpose) -> Vec<Sec> {
        let count = match purpose {
            Purpose::Upkeep | Purpose::Hotfix | Purpose::Revert => 1,
            Purpose::Repair => 2,
            Purpose::Feature if self.service.landing == Landing::Merge && self.draw.chance(0.01) => self.draw.between(22, 34),
            Purpose::Feature => 1 + self.draw.spread(1.1).min(5),
        };
        let last = if purpose.is_urgent() {
            self.now + self.draw.between(8 * MINUTE, 35 * MINUTE)
        } else if purpose == Purpose::Upkeep {
            self.now + 1
        } else {
            let coding = self.work_time(150 * MINUTE + count * 6 * MINUTE);
            calendar::add_work(self.now, coding)
        };
        let span = last - self.now;
        (1..=count).map(|n| self.now + span * n / count).collect()
    }

    pub fn first_push(&mut self, place: usize) {
        let change = &self.world.changes[place];
        let (author, purpose) = (change.author, change.purpose);
        let (times, title) = (change.authored.clone(), change.title.clone());
        let base = self.main;
        let mut head = base;
        let mut commits = Vec::with_capacity(times.len());
        for (nth, authored_at) in times.iter().enumerate() {
            let message = if purpose == Purpose::Revert {
                self.revert_message(&title)
            } else if nth + 1 == times.len() {
                title.clone()
            } else {
                format!("{}\n\nPart of: {title}", STEPS[(nth + place) % STEPS.len()])
            };
            head = self.branch_commit(head, author, *authored_at, message);
            commits.push(head);
        }
        self.world.changes[place].base = base;
        self.push_branch(place, None, commits);
        let wait = if purpose.is_urgent() || purpose == Purpose::Upkeep { 40 } else { self.draw.between(2 * MINUTE, 20 * MINUTE) };
        self.after(wait, Todo::Open(place));
    }

    fn revert_message(&self, title: &str) -> String {
        let landed = self.culprit().and_then(|change| self.world.changes[change].landed);
        match landed {
            Some(commit) => format!("{title}\n\nThis reverts commit {}.", self.world.repo.sha(commit)),
            None => title.to_owned(),
        }
    }

    fn branch_commit(&mut self, parent: CommitIx, author: &'static Person, at: Sec, message: String) -> CommitIx {
        let mut touched = vec![self.draw.below(7)];
        if self.draw.chance(0.5) {
            touched.push((touched[0] + 1 + self.draw.below(6)) % 7);
        }
        self.world.repo.change(vec![parent], &touched, Words { author, authored_at: at, committed_at: at, message })
    }

    fn push_branch(&mut self, place: usize, before: Option<CommitIx>, commits: Vec<CommitIx>) {
        let change = &mut self.world.changes[place];
        change.commits.extend(&commits);
        let (branch, by) = (change.branch.clone(), change.author);
        let after = commits[commits.len() - 1];
        let kept = match self.service.provider {
            Provider::Gitlab => format!("refs/merge-requests/{}/head", change.number),
            Provider::Github => format!("refs/pull/{}/head", change.number),
        };
        self.world.repo.set_ref(&kept, after);
        self.push(Push { config: false, branch, before, after, commits, by });
    }

    pub fn head(&self, place: usize) -> CommitIx {
        let change = &self.world.changes[place];
        change.commits.last().copied().unwrap_or(change.base)
    }

    pub fn tell_change(&mut self, place: usize, act: Act) {
        let head = self.head(place);
        self.tell(What::Change { change: place, act, head });
    }

    pub fn open(&mut self, place: usize) {
        self.world.changes[place].opened_at = Some(self.now);
        self.tell_change(place, Act::Opened);
        let head = self.head(place);
        self.start_run(head, Some(place));
        let change = &self.world.changes[place];
        let purpose = change.purpose;
        if change.draft {
            self.after_work(90 * MINUTE, Todo::Ready(place));
        } else if purpose.is_urgent() {
            let wait = self.draw.between(4 * MINUTE, 14 * MINUTE);
            self.after(wait, Todo::Approve(place));
        } else if purpose == Purpose::Upkeep {
            self.after_work(4 * HOUR, Todo::Approve(place));
        } else {
            self.after_work(110 * MINUTE, Todo::Review(place));
        }
    }

    pub fn ready(&mut self, place: usize) {
        let change = &mut self.world.changes[place];
        change.ready_at = Some(self.now);
        change.draft = false;
        self.tell_change(place, Act::Ready);
        self.after_work(100 * MINUTE, Todo::Review(place));
    }

    pub fn review(&mut self, place: usize) {
        let change = &self.world.changes[place];
        if change.abandoned {
            self.after_work(6 * HOUR, Todo::Abandon(place));
        } else if change.second_push {
            let word = if self.draw.chance(0.5) { "changes_requested" } else { "commented" };
            self.reviewed(place, word);
            self.after_work(70 * MINUTE, Todo::SecondPush(place));
        } else {
            self.approve(place);
        }
    }

    /// GitHub tells of every review; of GitLab's only the approval is told.
    fn reviewed(&mut self, place: usize, word: &'static str) {
        if self.service.provider == Provider::Gitlab && word != "approved" {
            return;
        }
        self.world.changes[place].first_review_at.get_or_insert(self.now);
        self.tell_change(place, Act::Reviewed(word));
    }

    pub fn second_push(&mut self, place: usize) {
        let before = self.head(place);
        let author = self.world.changes[place].author;
        let commit = self.branch_commit(before, author, self.now - 3 * MINUTE, "Answer the review".to_owned());
        self.push_branch(place, Some(before), vec![commit]);
        if self.service.provider == Provider::Github {
            self.tell_change(place, Act::Updated);
        }
        self.start_run(commit, Some(place));
        self.after_work(60 * MINUTE, Todo::Approve(place));
    }

    pub fn approve(&mut self, place: usize) {
        self.world.changes[place].approved_at = Some(self.now);
        self.reviewed(place, "approved");
        if self.world.changes[place].purpose.is_urgent() {
            let wait = self.draw.between(MINUTE, 5 * MINUTE);
            self.after(wait, Todo::Merge(place));
        } else {
            self.after_work(25 * MINUTE, Todo::Merge(place));
        }
    }

    pub fn abandon(&mut self, place: usize) {
        self.world.changes[place].closed_at = Some(self.now);
        self.tell_change(place, Act::Closed);
    }

    pub fn merge(&mut self, place: usize) {
        let before = self.main;
        let commits = match self.service.landing {
            Landing::Squash => self.land_squashed(place),
            Landing::Merge => self.land_merged(place),
            Landing::Rebase => self.land_rebased(place),
        };
        let after = commits[commits.len() - 1];
        self.main = after;
        self.world.repo.set_ref("refs/heads/main", after);
        let by = self.merger(place);
        self.push(Push { config: false, branch: "main".to_owned(), before: Some(before), after, commits, by });
        self.versions.push(Version { commit: after, change: Some(place) });
        let version = self.versions.len() - 1;
        let change = &mut self.world.changes[place];
        change.merged_at = Some(self.now);
        change.landed = Some(after);
        change.version = Some(version);
        if self.service.provider == Provider::Github {
            change.closed_at = Some(self.now);
        }
        self.tell_change(place, Act::Merged);
        if self.awaited == Some(place) {
            self.awaited = None;
            self.environments[PRODUCTION].least = version;
        }
        let wait = self.draw.between(5, 30);
        self.after(wait, Todo::RunMain(version));
    }

    fn merger(&self, place: usize) -> &'static Person {
        let change = &self.world.changes[place];
        if change.author.is_bot { change.reviewer } else { change.author }
    }

    fn land_squashed(&mut self, place: usize) -> Vec<CommitIx> {
        let change = &self.world.changes[place];
        let message = match self.service.provider {
            Provider::Gitlab => {
                format!("{}\n\nSee merge request {}!{}", change.title, self.world.repo.path, change.number)
            }
            Provider::Github => format!("{} (#{})", change.title, change.number),
        };
        let (author, touched) = (change.author, self.world.repo.touched(&change.commits));
        let words = Words { author, authored_at: self.now, committed_at: self.now, message };
        vec![self.world.repo.change(vec![self.main], &touched, words)]
    }

    fn land_merged(&mut self, place: usize) -> Vec<CommitIx> {
        let head = self.head(place);
        let author = self.merger(place);
        let change = &self.world.changes[place];
        let message = match self.service.provider {
            Provider::Gitlab => format!(
                "Merge branch '{}' into 'main'\n\n{}\n\nSee merge request {}!{}",
                change.branch, change.title, self.world.repo.path, change.number
            ),
            Provider::Github => {
                format!("Merge pull request #{} from {}/{}\n\n{}", change.number, self.service.team, change.branch, change.title)
            }
        };
        let mut commits = change.commits.clone();
        let touched = self.world.repo.touched(&commits);
        let words = Words { author, authored_at: self.now, committed_at: self.now, message };
        commits.push(self.world.repo.change(vec![self.main, head], &touched, words));
        commits
    }

    fn land_rebased(&mut self, place: usize) -> Vec<CommitIx> {
        let mut parent = self.main;
        let mut landed = Vec::new();
        for original in self.world.changes[place].commits.clone() {
            let commit = &self.world.repo.commits[original];
            let words =
                Words { author: commit.author, authored_at: commit.authored_at, committed_at: self.now, message: commit.message.clone() };
            let touched = self.world.repo.touched(&[original]);
            parent = self.world.repo.change(vec![parent], &touched, words);
            landed.push(parent);
        }
        landed
    }
}
