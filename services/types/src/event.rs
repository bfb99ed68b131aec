//! The kinds of flow events, by the words that stand in `audit.flow_events`.
use crate::closed_set::closed_set;

closed_set!(
    /// What a flow event tells: `noun.verb`.
    EventKind, "event kind", {
        /// A person was refused a call.
        AccessDenied = "access.denied",
        /// A delivery could not become a run.
        DeliveryFailed = "delivery.failed",
        /// A delivery that did not arrive will not be asked for any more.
        DeliveryGivenUp = "delivery.given_up",
        /// A delivery did not arrive, and is asked for again.
        DeliveryMissed = "delivery.missed",
        /// A delivery that had not arrived is here.
        DeliveryRecovered = "delivery.recovered",
        /// A delivery is handled again.
        DeliveryReplayed = "delivery.replayed",
        /// Sealed values were sealed again under the active key.
        KeysRotated = "keys.rotated",
        /// A sign-in link opened a session.
        LinkRedeemed = "link.redeemed",
        /// A sign-in link was used before, or is too old.
        LinkRefused = "link.refused",
        /// A user became a member of a project.
        MemberAdded = "member.added",
        /// A user is no longer a member of a project.
        MemberRemoved = "member.removed",
        /// A member has another role.
        MemberUpdated = "member.updated",
        /// A project was created.
        ProjectCreated = "project.created",
        /// A project was deleted.
        ProjectDeleted = "project.deleted",
        /// A project was renamed.
        ProjectUpdated = "project.updated",
        /// A repository was added to a project.
        RepositoryAdded = "repository.added",
        /// A repository has another credential.
        RepositoryCredentialRotated = "repository.credential_rotated",
        /// The provider renamed the repository or its default branch, and ck8s took the new name.
        RepositoryFollowed = "repository.followed",
        /// The repository's hook is as it should be.
        RepositoryHookFound = "repository.hook_found",
        /// The repository's hook is missing or cannot be read.
        RepositoryHookLost = "repository.hook_lost",
        /// A repository was removed from its project.
        RepositoryRemoved = "repository.removed",
        /// A repository has another webhook secret.
        RepositorySecretRotated = "repository.secret_rotated",
        /// The addition of a repository failed half-way and was undone.
        RepositoryUndone = "repository.undone",
        /// Fields of a repository were changed.
        RepositoryUpdated = "repository.updated",
        /// A worker continues a workload that was running already.
        RunAdopted = "run.adopted",
        /// A run was created.
        RunCreated = "run.created",
        /// The node of a run's workload does not confirm the workload's end.
        RunEndDelayed = "run.end_delayed",
        /// A run reached a terminal state.
        RunFinished = "run.finished",
        /// A run has a slot and a worker.
        RunLeased = "run.leased",
        /// The log of a run misses a part.
        RunLogIncomplete = "run.log_incomplete",
        /// The worker that holds the run's lease is silent.
        RunOrphaned = "run.orphaned",
        /// A run gave its slot back.
        RunReleased = "run.released",
        /// A run waits for another attempt.
        RunRequeued = "run.requeued",
        /// The workload of a run runs.
        RunRunning = "run.running",
        /// The workload of a run has not started: why.
        RunStartDelayed = "run.start_delayed",
        /// Another worker took over a run whose worker was silent.
        RunTakenOver = "run.taken_over",
        /// A secret of a repository's runs was removed.
        SecretRemoved = "secret.removed",
        /// A secret of a repository's runs was set.
        SecretSet = "secret.set",
        /// A server process started.
        ServerStarted = "server.started",
        /// A person signed out.
        SessionEnded = "session.ended",
        /// A refresh token was used twice; its session was ended.
        SessionReused = "session.reused",
        /// A person was not let in.
        SignInRefused = "sign_in.refused",
        /// A person signed in.
        SignInSucceeded = "sign_in.succeeded",
        /// A key that signs access tokens was made.
        SigningKeyMade = "signing_key.made",
        /// Somebody freed a slot that no worker gave back.
        SlotReleased = "slot.released",
        /// A project has another number of slots.
        SlotsSet = "slots.set",
        /// An API token was created.
        TokenCreated = "token.created",
        /// An API token was revoked.
        TokenRevoked = "token.revoked",
        /// A user may sign in.
        UserAdded = "user.added",
        /// A user was removed.
        UserRemoved = "user.removed",
        /// A user was changed.
        UserUpdated = "user.updated",
        /// A worker takes no more runs.
        WorkerDraining = "worker.draining",
        /// A worker received its first certificate.
        WorkerJoined = "worker.joined",
        /// A worker received its next certificate.
        WorkerRenewed = "worker.renewed",
        /// A worker takes runs again.
        WorkerUndrained = "worker.undrained",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_noun_and_a_verb() {
        for kind in EventKind::ALL {
            let word = kind.as_str();
            let (noun, verb) = word.split_once('.').expect("one dot");
            let is_word = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            };
            assert!(is_word(noun) && is_word(verb), "{word}");
            assert_eq!(word.parse::<EventKind>().as_ref(), Ok(kind));
        }
    }
}
