//! The table of roles: the services of each, the roles that it calls, its role in the database.
use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ck8s_db::ServiceRole;

/// A part of the server that a process can take on.
#[derive(Debug)]
pub(crate) struct Role {
    /// Its name on the command line and in the mesh.
    pub(crate) name: &'static str,
    /// The gRPC services that it serves.
    pub(crate) services: &'static [&'static str],
    /// The roles that it cannot work without.
    pub(crate) needs: &'static [&'static str],
    /// Roles that it also calls, but is ready without.
    pub(crate) asks: &'static [&'static str],
    /// Its role in the database, and how many connections its pool may hold. The hot writers of `runs` have six more,
    /// one each.
    pub(crate) database: Option<(ServiceRole, u32)>,
}

/// Every role. The worker is not one of them: it is a client, with its own command.
pub(crate) const ROLES: &[Role] = &[
    Role {
        name: "edge",
        services: &[],
        needs: &["ingress", "runs", "repositories", "auth"],
        asks: &[],
        database: None,
    },
    Role {
        name: "ingress",
        services: &["ck8s.ingress.v1.IngressService"],
        needs: &["repositories", "runs", "auth"],
        asks: &[],
        database: Some((ServiceRole::Ingress, 8)),
    },
    Role {
        name: "runs",
        services: &["ck8s.runs.v1.RunsService", "ck8s.runs.v1.LeaseService"],
        needs: &["repositories", "auth"],
        asks: &[],
        database: Some((ServiceRole::Runs, 10)),
    },
    Role {
        name: "repositories",
        services: &["ck8s.repositories.v1.RepositoriesService"],
        needs: &["auth"],
        // It reports runs to the provider.
        asks: &["runs"],
        database: Some((ServiceRole::Repositories, 4)),
    },
    Role {
        name: "auth",
        services: &["ck8s.auth.v1.AuthService", "ck8s.auth.v1.ProjectsService"],
        needs: &[],
        // WhoAmI asks whose token a run's token is.
        asks: &["runs"],
        database: Some((ServiceRole::Auth, 4)),
    },
];

/// The roles of this process.
#[derive(Clone, Debug)]
pub(crate) struct Roles(Vec<&'static Role>);

impl Roles {
    /// Returns all roles.
    pub(crate) fn all() -> Self {
        Self(ROLES.iter().collect())
    }

    /// Returns the roles of these names; `all` stands for every one.
    pub(crate) fn named(names: &[String]) -> Result<Self> {
        let mut roles: Vec<&'static Role> = Vec::new();
        for name in names {
            if name == "all" {
                return Ok(Self::all());
            }
            let Some(role) = ROLES.iter().find(|role| role.name == name) else {
                let known: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
                bail!(
                    "there is no role {name:?}: the roles are {} and all",
                    known.join(", ")
                );
            };
            if !roles.iter().any(|have| have.name == role.name) {
                roles.push(role);
            }
        }
        Ok(Self(roles))
    }

    /// Checks that the roles can reach those that they call, and can be reached by those that call them.
    pub(crate) fn check(&self, known: &[&str], listens: bool) -> Result<()> {
        for role in &self.0 {
            let mut absent = role.needs.iter();
            if let Some(need) = absent.find(|need| !self.has(need) && !known.contains(need)) {
                bail!(
                    "role {} calls {need}, which this process does not run: say where it is with CK8S_PEER_{}=https://{need}:7443, or use --role all",
                    role.name,
                    need.to_uppercase()
                );
            }
        }
        let callers = ROLES.iter().filter(|role| !self.has(role.name));
        if let Some(caller) = callers
            .filter(|caller| caller.needs.iter().any(|need| self.has(need)))
            .find(|_| !listens)
        {
            bail!(
                "role {} runs elsewhere and could not call this process: set --mesh-listen (an example: 0.0.0.0:7443) and --mesh-certs, or use --role all",
                caller.name
            );
        }
        Ok(())
    }

    /// Returns the roles in other processes that they call, and whether they are needed.
    pub(crate) fn peers(&self) -> Vec<(&'static Role, bool)> {
        let names = |of: fn(&Role) -> &'static [&'static str]| {
            let names = self.0.iter().flat_map(move |role| of(role).iter().copied());
            names.collect::<BTreeSet<&str>>()
        };
        let (needed, asked) = (names(|role| role.needs), names(|role| role.asks));
        let others = ROLES.iter().filter(|role| !self.has(role.name));
        others
            .filter(|role| needed.contains(role.name) || asked.contains(role.name))
            .map(|role| (role, needed.contains(role.name)))
            .collect()
    }

    /// Returns their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|role| role.name)
    }

    /// Returns whether a role is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|role| role.name == name)
    }

    /// Returns whether any of them has a database.
    pub(crate) fn need_database(&self) -> bool {
        self.0.iter().any(|role| role.database.is_some())
    }

    /// Returns the full names of the services that they serve.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flat_map(|role| role.services.iter().copied())
    }
}

#[cfg(test)]
mod tests;
