//! Why a workload has not started, as it is told: each cause once, and the cause rather than that it is tried again.
use ck8s_kube::{Cluster, Hope, JobName, PodView, StartTrouble, StartTroubles};
use ck8s_types::RunReason;

use crate::domain::Exit;

/// What registries and resolvers say if trying again is unlikely to help.
const FINAL_PULL_ANSWERS: [&str; 8] = [
    "no such host",
    "not found",
    "manifest unknown",
    "denied",
    "unauthorized",
    "authorization failed",
    "does not exist",
    "invalid reference format",
];
/// After how many such answers in a row the workload's start is given up. The node asks at once, after 10 s and after
/// 20 s more: a registry that is away for a moment is waited for.
const MAX_FINAL_PULL_ANSWERS: u32 = 3;

/// What keeps a workload from starting.
#[derive(Default)]
pub(super) struct StartDelay {
    /// The delay, as it was last told.
    told: Option<Exit>,
    /// Why the image could not be pulled, by the last answer that said so.
    pull_failure: Option<Exit>,
    final_pull_answers: u32,
    /// Whether the last view of the pod showed a pull that had just failed.
    pulling_failed: bool,
    /// The pod whose events are watched.
    watched: Option<String>,
    troubles: Option<StartTroubles>,
}

impl StartDelay {
    /// Waits for news of what keeps the workload from starting.
    pub(super) async fn next_trouble(&mut self) -> StartTrouble {
        match &mut self.troubles {
            Some(troubles) => troubles.next().await,
            None => std::future::pending().await,
        }
    }

    /// Watches the events of the pod, or of the Job if there is no pod.
    pub(super) fn watch_events(&mut self, cluster: &Cluster, job: &JobName, pod: Option<&PodView>) {
        let uid = pod.map(|p| p.uid.clone());
        self.troubles = Some(match &uid {
            Some(uid) => cluster.pod_troubles(job, uid),
            None => cluster.job_troubles(job),
        });
        self.watched = uid;
    }

    /// Whether the events of this pod are watched; none: of the Job.
    pub(super) fn watches(&self, pod_uid: Option<&str>) -> bool {
        self.troubles.is_some() && self.watched.as_deref() == pod_uid
    }

    /// Stops watching events: the workload has started.
    pub(super) fn end(&mut self) {
        self.troubles = None;
    }

    /// Takes a pull that failed. Returns how the workload ends if trying again is of no use.
    pub(super) fn pull_failed(&mut self, exit: Exit, backs_off: bool) -> Option<Exit> {
        if backs_off {
            self.pulling_failed = false;
            let repeats = exit.message.contains("Back-off") && !exit.message.contains("rpc error");
            if repeats && self.pull_failure.is_some() {
                return None;
            }
        } else if !std::mem::replace(&mut self.pulling_failed, true) {
            let is_final = FINAL_PULL_ANSWERS
                .iter()
                .any(|answer| exit.message.contains(answer));
            self.final_pull_answers = if is_final {
                self.final_pull_answers + 1
            } else {
                0
            };
        }
        self.pull_failure = Some(exit.clone());
        (self.final_pull_answers >= MAX_FINAL_PULL_ANSWERS).then_some(exit)
    }

    /// Returns why the image could not be pulled.
    pub(super) fn pull_failure(&self) -> Option<Exit> {
        self.pull_failure.clone()
    }

    /// Takes an event. Returns the delay to tell; none: it says nothing new.
    pub(super) fn trouble(&mut self, trouble: &StartTrouble) -> Option<Exit> {
        let exit = Exit::from(trouble.exit.clone());
        if exit.reason == RunReason::ImagePull {
            self.pull_failure = Some(exit.clone());
        }
        match trouble.hope {
            // What went wrong before says more than that it is tried again.
            Hope::OnItsWay if self.told.is_some() => None,
            _ => self.tell(exit),
        }
    }

    /// Returns a delay that is to be told; none: it was told before.
    pub(super) fn tell(&mut self, exit: Exit) -> Option<Exit> {
        if self.told.as_ref() == Some(&exit) {
            return None;
        }
        self.told = Some(exit.clone());
        Some(exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(message: &str) -> Exit {
        Exit::without_code(RunReason::ImagePull, message)
    }

    #[test]
    fn a_pull_is_given_up_after_three_final_answers_and_else_never() {
        let mut delay = StartDelay::default();
        let (missing, busy) = (
            pull("lookup r: no such host"),
            pull("503 Service Unavailable"),
        );
        let backs_off = pull("Back-off pulling image");
        let mut fail = |exit: &Exit| {
            let end = delay.pull_failed(exit.clone(), false);
            assert_eq!(
                delay.pull_failed(exit.clone(), false),
                end,
                "the same try, seen again"
            );
            assert_eq!(delay.pull_failed(backs_off.clone(), true), None);
            assert_eq!(delay.pull_failure(), Some(exit.clone()), "the cause stays");
            end
        };
        assert_eq!((fail(&missing), fail(&missing)), (None, None));
        for _ in 0..10 {
            assert_eq!(fail(&busy), None);
        }
        assert_eq!((fail(&missing), fail(&missing)), (None, None));
        assert_eq!(fail(&missing), Some(missing));
    }

    #[test]
    fn a_delay_is_told_once_and_its_cause_stays() {
        let mut delay = StartDelay::default();
        let trouble = |message: &str, hope| StartTrouble {
            exit: ck8s_kube::Exit {
                reason: RunReason::StartTimedOut,
                message: message.to_owned(),
                code: None,
            },
            hope,
        };
        let pulling = trouble("pulling", Hope::OnItsWay);
        let sandbox = trouble("no sandbox", Hope::MayPass);
        assert!(delay.trouble(&pulling).is_some() && delay.trouble(&pulling).is_none());
        assert!(delay.trouble(&sandbox).is_some() && delay.trouble(&sandbox).is_none());
        assert!(delay.trouble(&pulling).is_none());
    }
}
