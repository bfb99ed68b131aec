//! Where workloads live, and so which workers can take them over.
use std::fmt;

/// Where the workloads of a worker live: `process`, or `kubernetes:<cluster>`. Only a worker of the same domain can
/// take them over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ExecutorDomain(String);

impl ExecutorDomain {
    /// Returns the domain of an executor with these labels. None: there is no such executor.
    pub(crate) fn of(executor: &str, labels: &[String]) -> Option<Self> {
        match executor {
            "process" => Some(Self("process".to_owned())),
            "kubernetes" => {
                let cluster = labels.iter().find_map(|l| l.strip_prefix("cluster="));
                Some(Self(format!("kubernetes:{}", cluster.unwrap_or_default())))
            }
            _ => None,
        }
    }

    /// The domain as it is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its workloads end with their lease.
    pub(crate) fn is_process(&self) -> bool {
        self.0 == "process"
    }
}

impl From<String> for ExecutorDomain {
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

impl fmt::Display for ExecutorDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
