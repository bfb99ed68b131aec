//! GetTask: what an agent has to do. GetPrompt: what it was told.
use ck8s_types::{RunId, WorkBranch};

use super::Requester;
use crate::{
    domain::{AgentTask, Attempt, Run, prompt},
    engine::Engine,
    error::RunsError,
    store::{agents, runs},
};

/// The guidelines that are part of every prompt, if the repository has them.
const GUIDELINES: &str = "AGENTS.md";

/// Returns what the agent of a run's current attempt has to do. Its prompt is assembled once, and kept.
pub(crate) async fn agent_task(
    engine: &Engine,
    run_id: RunId,
    attempt: i32,
) -> Result<AgentTask, RunsError> {
    let attempt = Attempt {
        run: run_id,
        number: attempt,
    };
    let (run, kept) = {
        let mut conn = engine.pool.acquire().await?;
        let run = runs::get(&mut conn, run_id).await?;
        check_current(&run, attempt)?;
        (run, agents::prompt(&mut conn, attempt).await?)
    };
    let prompt = match kept {
        Some(prompt) => prompt,
        None => make_prompt(engine, &run, attempt).await?,
    };
    Ok(AgentTask {
        work_branch: WorkBranch::of(run.id, &run.trigger),
        run,
        prompt,
    })
}

/// Returns the prompt that an attempt was given; none named: the current one.
pub(crate) async fn get_prompt(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
    attempt: Option<i32>,
) -> Result<String, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let run = requester.run(&mut conn, run_id).await?;
    let attempt = Attempt {
        run: run_id,
        number: attempt.unwrap_or(run.attempt),
    };
    let prompt = agents::prompt(&mut conn, attempt).await?;
    prompt
        .filter(|prompt| !prompt.is_empty())
        .ok_or(RunsError::NoPrompt(run_id))
}

/// Lets only the current attempt speak for the run: an older one may still be on its way out.
fn check_current(run: &Run, attempt: Attempt) -> Result<(), RunsError> {
    match attempt.number == run.attempt {
        true => Ok(()),
        false => Err(RunsError::OtherAttempt(run.id, run.attempt)),
    }
}

/// Assembles the prompt and keeps it; without an agent, it is empty.
async fn make_prompt(engine: &Engine, run: &Run, attempt: Attempt) -> Result<String, RunsError> {
    let agent = run.spec.agent.clone().unwrap_or_default();
    let (Some(_), Some(repository)) = (agent.preset, run.repository) else {
        return Ok(String::new());
    };
    // A discussion has a number too, but is no issue.
    let number = match run.trigger.event.starts_with("discussion") {
        true => 0,
        false => run.trigger.number,
    };
    let mut paths = vec![GUIDELINES.to_owned()];
    let named = agent.prompt_files.iter().filter(|path| *path != GUIDELINES);
    paths.extend(named.cloned());
    let sources = engine
        .peers
        .prompt_sources(repository, number, paths)
        .await?;
    let missing = agent.prompt_files.iter();
    let missing = missing.filter(|path| sources.files.iter().all(|file| file.path != **path));
    if let Some(path) = missing.into_iter().next() {
        return Err(RunsError::PromptFileMissing(path.clone()));
    }
    let prompt = prompt::assemble(&run.repository_name, &run.trigger, &agent, &sources);
    let mut conn = engine.pool.acquire().await?;
    Ok(agents::keep_prompt(&mut conn, attempt, &prompt).await?)
}
