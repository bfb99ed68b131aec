//! Telling the provider of runs: a commit's status, one comment in an issue or pull request, a reaction to the comment that asked.
use std::collections::HashSet;

use ck8s_proto::runs::v1::{GetRunRequest, Run};
use ck8s_provider::{CommitStatus, ProviderError, Reaction, Thread};
use ck8s_types::RunId;
use tonic::Code;
use uuid::Uuid;

use super::{
    Repositories,
    outside::{Far, at},
    peer, told as report,
};
use crate::{
    error::Error,
    store::{
        reports::{self, Due},
        repositories,
    },
};

/// Events read at once.
const BATCH: i64 = 500;

impl Repositories {
    /// One round: reads what happened to runs, and tells what there is to tell. Only one replica does at a time.
    pub(crate) async fn report(&self) -> Result<(), Error> {
        let Some(_alone) = reports::alone(&self.pool).await? else {
            return Ok(());
        };
        while self.read_events().await? {}
        let due = {
            let mut conn = self.pool.acquire().await?;
            reports::due(&mut conn).await?
        };
        let mut away: HashSet<Uuid> = HashSet::new();
        for due in due {
            if away.contains(&due.repository) {
                continue;
            }
            if let Err(error) = self.tell(&due).await {
                tracing::warn!(run.id = %due.run, %error, "the provider is told later");
                // One repository hinders no other.
                away.insert(due.repository);
                let mut conn = self.pool.acquire().await?;
                reports::later(&mut conn, due.run).await?;
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
            let commit = Some(trigger.commit_sha.as_str()).filter(|sha| !sha.is_empty());
            let thread = Some(trigger.number).filter(|number| *number > 0);
            let state = report::word(run.state());
            reports::wanted(&mut tx, id, repository, commit, thread, state).await?;
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
            return Ok(reports::said(&mut conn, due.run, &due.state).await?);
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
            if error.passes() {
                return Err(at("telling of a run")(error));
            }
        }
        let mut conn = self.pool.acquire().await?;
        reports::said(&mut conn, due.run, report::word(run.state())).await?;
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
        let Some(number) = due.thread.filter(|_| due.newest) else {
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
        .react(&far.credential, &far.remote, comment, Reaction::Eyes)
        .await
}

async fn status(far: &Far, due: &Due, run: &Run, page: &str) -> Result<(), ProviderError> {
    let Some(commit) = due.commit.as_deref() else {
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
