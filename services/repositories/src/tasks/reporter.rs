//! Reports runs to the provider: one replica at a time, many repositories at once, and of each repository one run after
//! the other. Flow events say which runs changed.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ck8s_db::Lock;
use ck8s_types::RepositoryId;
use time::OffsetDateTime;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::report::DueRepository,
    error::Error,
    service::{Provider, ReportingOutcome, Repositories},
};

/// Bounds the repositories whose runs are reported at once.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;
/// The time between rounds if no notification comes.
const ROUND_INTERVAL: Duration = Duration::from_secs(5);
/// How long a round waits for more changes after the first one.
const COALESCE_DELAY: Duration = Duration::from_millis(100);
/// The time until the round after a change: what was still being written then is visible by now.
const FOLLOW_UP_INTERVAL: Duration = Duration::from_secs(1);
/// How long no report is made with a credential after one was postponed.
const POSTPONED_REST: Duration = Duration::from_secs(5);
/// How long no report is made with a credential that the provider refused: somebody has to set another one.
const REFUSED_REST: Duration = Duration::from_secs(300);

/// Reports runs.
pub(crate) struct Reporter {
    repositories: Repositories,
    provider: Arc<Provider>,
    /// Held by the one replica that reports.
    lock: Option<Lock>,
    /// When this replica last tried to take the lock.
    tried_at: Option<Instant>,
    reporting: JoinSet<(DueRepository, ReportingOutcome)>,
    /// The repositories whose runs are being reported.
    busy: HashSet<RepositoryId>,
    resting: HashMap<RepositoryId, Rest>,
}

/// A rest of a repository, which is of the credential that failed: another credential is tried at once.
struct Rest {
    credential_set_at: OffsetDateTime,
    until: Instant,
}

impl Reporter {
    pub(crate) fn new(repositories: Repositories, provider: Arc<Provider>) -> Self {
        Self {
            repositories,
            provider,
            lock: None,
            tried_at: None,
            reporting: JoinSet::new(),
            busy: HashSet::new(),
            resting: HashMap::new(),
        }
    }

    /// Runs rounds until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.rounds() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn rounds(&mut self) {
        let mut pause = ROUND_INTERVAL;
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "runs are reported later");
            }
            tokio::select! {
                () = self.provider.runs_changed.notified() => {
                    sleep(COALESCE_DELAY).await;
                    pause = FOLLOW_UP_INTERVAL;
                }
                // Perhaps a credential: the next round sees which one counts.
                () = self.provider.repositories_changed.notified() => {}
                Some(ended) = self.reporting.join_next() => match ended {
                    Ok((repository, outcome)) => self.note_end(repository, outcome),
                    // It is not known which repository it was, so all of them stop.
                    Err(_) => self.stop().await,
                },
                () = sleep(pause) => pause = ROUND_INTERVAL,
            }
        }
    }

    /// Reads which runs changed, and starts to report the runs of repositories that are due.
    async fn round(&mut self) -> Result<(), Error> {
        if !self.is_leader().await? {
            self.stop().await;
            return Ok(());
        }
        while self.repositories.read_run_events().await? {}
        let now = Instant::now();
        self.resting.retain(|_, rest| rest.until > now);
        let busy: Vec<RepositoryId> = self.busy.iter().copied().collect();
        let resting: Vec<DueRepository> = self
            .resting
            .iter()
            .map(|(&id, rest)| DueRepository {
                id,
                credential_set_at: rest.credential_set_at,
            })
            .collect();
        let limit = MAX_CONCURRENT_REPOSITORIES.saturating_sub(self.reporting.len());
        let due = self
            .repositories
            .due_repositories(&busy, &resting, limit)
            .await?;
        for repository in due {
            self.busy.insert(repository.id);
            let this = self.repositories.clone();
            self.reporting
                .spawn(async move { (repository, this.report_runs(repository.id).await) });
        }
        Ok(())
    }

    /// Notes how the reports of a repository went. The rest is of the credential that was set when they began; if
    /// another one was set since, that one is tried at once.
    fn note_end(&mut self, repository: DueRepository, outcome: ReportingOutcome) {
        self.busy.remove(&repository.id);
        let rest = match outcome {
            ReportingOutcome::Done => return,
            ReportingOutcome::Postponed => POSTPONED_REST,
            ReportingOutcome::CredentialRefused => REFUSED_REST,
        };
        let rest = Rest {
            credential_set_at: repository.credential_set_at,
            until: Instant::now() + rest,
        };
        self.resting.insert(repository.id, rest);
    }

    /// Returns whether this replica is the one that reports.
    async fn is_leader(&mut self) -> Result<bool, Error> {
        if let Some(lock) = &mut self.lock {
            if lock.still().await {
                return Ok(true);
            }
            // Another replica may report by now.
            self.stop().await;
        }
        self.lock = None;
        if self
            .tried_at
            .is_some_and(|at| at.elapsed() < ROUND_INTERVAL)
        {
            return Ok(false);
        }
        self.tried_at = Some(Instant::now());
        self.lock = self.repositories.lock_reports().await?;
        Ok(self.lock.is_some())
    }

    async fn stop(&mut self) {
        self.reporting.shutdown().await;
        self.busy.clear();
    }
}
