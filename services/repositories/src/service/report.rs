//! Telling the provider of runs: a commit's status, one comment in an issue or pull request, a reaction to the comment that asked.
//! Flow events say of which; one replica tells, many repositories at once, and of one repository one run after the other.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ck8s_db::Lock;
use ck8s_proto::runs::v1::{GetRunRequest, Run};
use ck8s_provider::{CommitStatus, ProviderError, Thread};
use ck8s_types::RunId;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use super::{
    Repositories,
    outside::{Far, Outside, at},
    peer, told as report,
};
use crate::{
    error::Error,
    store::{
        reports::{self, Due, Wanted},
        repositories, requests,
    },
};

/// Events read at once.
const BATCH: i64 = 500;
/// Repositories whose provider is told of runs at once.
const ABREAST: usize = 16;
/// Between rounds, if nobody says that runs changed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long changes of runs gather.
const GATHER: Duration = Duration::from_millis(100);
/// After a change: what was still being written then, is there now.
const SOON: Duration = Duration::from_secs(1);
/// How long a repository rests whose provider did not take what it was told.
const REST: Duration = Duration::from_secs(5);
/// How long one rests whose credential is refused: somebody has to give another one.
const LONG_REST: Duration = Duration::from_secs(300);

/// Tells of runs.
pub(crate) struct Reporter {
    repositories: Repositories,
    outside: Arc<Outside>,
    /// That no other replica does.
    alone: Option<Lock>,
    /// When it was last asked for.
    tried: Option<Instant>,
    /// Repositories of which something is told, and how long each rests then.
    telling: JoinSet<(Uuid, Duration)>,
    busy: HashSet<Uuid>,
    /// Until when.
    resting: HashMap<Uuid, Instant>,
}

impl Reporter {
    pub(crate) fn new(repositories: Repositories, outside: Arc<Outside>) -> Self {
        Self {
            repositories,
            outside,
            alone: None,
            tried: None,
            telling: JoinSet::new(),
            busy: HashSet::new(),
            resting: HashMap::new(),
        }
    }

    /// Goes its rounds until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.rounds() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn rounds(&mut self) {
        let mut pause = PERIOD;
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "runs are told of later");
            }
            tokio::select! {
                () = self.outside.runs_changed.notified() => {
                    sleep(GATHER).await;
                    pause = SOON;
                }
                () = self.outside.repositories_changed.notified() => self.resting.clear(),
                Some(done) = self.telling.join_next() => match done {
                    Ok((repository, rest)) => {
                        self.busy.remove(&repository);
                        self.resting.insert(repository, Instant::now() + rest);
                    }
                    // Who it was is not known; a round without anybody finds out.
                    Err(_) => self.stop().await,
                },
                () = sleep(pause) => pause = PERIOD,
            }
        }
    }

    /// Reads what happened to runs, and begins to tell what there is to tell.
    async fn round(&mut self) -> Result<(), Error> {
        if !self.leads().await? {
            self.stop().await;
            return Ok(());
        }
        while self.repositories.read_events().await? {}
        let room = ABREAST.saturating_sub(self.telling.len());
        let now = Instant::now();
        self.resting.retain(|_, until| *until > now);
        let not_now = self.busy.iter().chain(self.resting.keys());
        let busy: Vec<Uuid> = not_now.copied().collect();
        let due = {
            let mut conn = self.repositories.pool.acquire().await?;
            reports::due(&mut conn, &busy, room).await?
        };
        for repository in due {
            self.busy.insert(repository);
            let this = self.repositories.clone();
            self.telling.spawn(async move {
                let rest = match this.tell_of_all(repository).await {
                    Ok(()) => Duration::ZERO,
                    Err(error) => {
                        tracing::warn!(repository.id = %repository, %error, "the provider is told later");
                        match error {
                            Error::Provider { error, .. } if !error.passes() => LONG_REST,
                            _ => REST,
                        }
                    }
                };
                (repository, rest)
            });
        }
        Ok(())
    }

    /// Whether this replica is the one that tells.
    async fn leads(&mut self) -> Result<bool, Error> {
        if let Some(alone) = &mut self.alone {
            if alone.still().await {
                return Ok(true);
            }
            // Another replica may tell by now.
            self.stop().await;
        }
        self.alone = None;
        if self.tried.is_some_and(|tried| tried.elapsed() < PERIOD) {
            return Ok(false);
        }
        self.tried = Some(Instant::now());
        self.alone = reports::alone(&self.repositories.pool).await?;
        Ok(self.alone.is_some())
    }

    async fn stop(&mut self) {
        self.telling.shutdown().await;
        self.busy.clear();
    }
}

impl Repositories {
    /// Forgets what was told, and answered, long ago.
    pub(crate) async fn forget_old(&self) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        reports::sweep(&mut conn).await?;
        Ok(requests::sweep(&mut conn).await?)
    }

    /// Tells the provider of what happened to a repository's runs, one after the other.
    async fn tell_of_all(&self, repository: Uuid) -> Result<(), Error> {
        let due = {
            let mut conn = self.pool.acquire().await?;
            reports::due_of(&mut conn, repository).await?
        };
        for due in due {
            if let Err(error) = self.tell(&due).await {
                let mut conn = self.pool.acquire().await?;
                reports::later(&mut conn, due.run).await?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads a batch of events; whether there may be more.
    async fn read_events(&self) -> Result<bool, Error> {
        let events = {
            let mut conn = self.pool.acquire().await?;
            let cursor = reports::cursor(&mut conn).await?;
            reports::events(&mut conn, cursor, BATCH).await?
        };
        let Some((last, _)) = events.last().copied() else {
            return Ok(false);
        };
        let ids: HashSet<RunId> = events.iter().filter_map(|(_, run)| *run).collect();
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            runs.extend(self.run(id).await?.map(|run| (id, run)));
        }
        let mut tx = self.pool.begin().await?;
        for (id, run) in runs {
            let Ok(repository) = run.repository_id.parse::<Uuid>() else {
                continue;
            };
            let Some(trigger) = run.trigger.as_ref().filter(|t| !t.name.is_empty()) else {
                continue;
            };
            let wanted = Wanted {
                run: id,
                repository,
                trigger: &trigger.name,
                commit: Some(trigger.commit_sha.as_str()).filter(|sha| !sha.is_empty()),
                thread: Some(trigger.number).filter(|number| *number > 0),
                state: report::word(run.state()),
            };
            reports::wanted(&mut tx, &wanted).await?;
        }
        reports::advance(&mut tx, last).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A run as it is now; none: it is not there any more.
    async fn run(&self, id: RunId) -> Result<Option<Run>, Error> {
        let request = GetRunRequest {
            run_id: id.to_string(),
        };
        match self.runs.clone().get_run(request).await {
            Ok(answer) => Ok(answer.into_inner().run),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(peer(&status)),
        }
    }

    /// Tells of one run as it is now. What cannot be told ever, is let go; an error: it may be told later.
    async fn tell(&self, due: &Due) -> Result<(), Error> {
        let Some(run) = self.run(due.run).await? else {
            let mut conn = self.pool.acquire().await?;
            return Ok(reports::said(&mut conn, due, &due.state).await?);
        };
        let (repository, far) = {
            let mut conn = self.pool.acquire().await?;
            let repository = repositories::get(&mut conn, due.repository).await?;
            let far = self.far(&mut conn, &repository).await?;
            (repository, far)
        };
        let page = far.outside.run_page(&run.id);
        for told in [
            react(&far, due, &run).await,
            status(&far, due, &run, &page).await,
            self.comment(&far, due, &run, &page).await?,
        ] {
            let Err(error) = told else { continue };
            self.note_error(&repository, &error).await;
            if error.passes() || error == ProviderError::Unauthenticated {
                return Err(at("telling of a run")(error));
            }
        }
        let mut conn = self.pool.acquire().await?;
        reports::said(&mut conn, due, report::word(run.state())).await?;
        Ok(())
    }

    /// Our one comment in the thread, about its newest run. It is looked for before one is made: a crash may have come between.
    async fn comment(
        &self,
        far: &Far,
        due: &Due,
        run: &Run,
        page: &str,
    ) -> Result<Result<(), ProviderError>, Error> {
        let Some(number) = due.thread.filter(|_| due.newest_of_thread) else {
            return Ok(Ok(()));
        };
        let known = {
            let mut conn = self.pool.acquire().await?;
            reports::comment(&mut conn, due.repository, number).await?
        };
        let body = report::comment(run, page);
        let put = put_comment(far, &Thread { number }, known, &body).await;
        Ok(match put {
            Ok(id) => {
                let mut conn = self.pool.acquire().await?;
                reports::set_comment(&mut conn, due.repository, number, &id).await?;
                Ok(())
            }
            Err(error) => Err(error),
        })
    }
}

async fn put_comment(
    far: &Far,
    thread: &Thread,
    known: Option<String>,
    body: &str,
) -> Result<String, ProviderError> {
    let (api, credential, remote) = (far.api(), &far.credential, &far.remote);
    if let Some(id) = known {
        match api.update_comment(credential, remote, &id, body).await {
            // Somebody removed it.
            Err(ProviderError::NotFound(_)) => {}
            done => return done.map(|()| id),
        }
    }
    let found = api.find_comment(credential, remote, thread, report::MARKER);
    match found.await? {
        Some(id) => {
            api.update_comment(credential, remote, &id, body).await?;
            Ok(id)
        }
        None => api.create_comment(credential, remote, thread, body).await,
    }
}

async fn react(far: &Far, due: &Due, run: &Run) -> Result<(), ProviderError> {
    let comment = run.trigger.as_ref().map_or("", |t| t.comment_id.as_str());
    if comment.is_empty() || !due.said.is_empty() {
        return Ok(());
    }
    far.api()
        .acknowledge(&far.credential, &far.remote, comment)
        .await
}

async fn status(far: &Far, due: &Due, run: &Run, page: &str) -> Result<(), ProviderError> {
    let Some(commit) = due.commit.as_deref().filter(|_| due.newest_of_commit) else {
        return Ok(());
    };
    let trigger = run.trigger.as_ref().map_or("", |t| t.name.as_str());
    let status = CommitStatus {
        state: report::commit_state(run),
        context: format!("ck8s/{trigger}"),
        description: report::line(run),
        url: page.to_owned(),
    };
    far.api()
        .set_status(&far.credential, &far.remote, commit, &status)
        .await
}
