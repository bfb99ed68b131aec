//! The roles as data: what each serves, whom it calls, as whom it acts in the database.
use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ck8s_db::ServiceRole;

/// A part of the server that a process can take on.
#[derive(Debug)]
pub struct Role {
    /// Its name on the command line and in the mesh.
    pub name: &'static str,
    /// The gRPC services that it serves.
    pub services: &'static [&'static str],
    /// The roles without which it cannot do its work.
    pub needs: &'static [&'static str],
    /// Roles that it also asks, for little: it is ready without them.
    pub asks: &'static [&'static str],
    /// Its role in the database, and how many connections its pool may hold. The hot writers of `runs` have six more,
    /// one each.
    pub database: Option<(ServiceRole, u32)>,
}

/// Every role. The worker is none of them: it is a client, and has a command of its own.
pub const ROLES: &[Role] = &[
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
        // What it tells the provider of.
        asks: &["runs"],
        database: Some((ServiceRole::Repositories, 4)),
    },
    Role {
        name: "auth",
        services: &["ck8s.auth.v1.AuthService", "ck8s.auth.v1.ProjectsService"],
        needs: &[],
        // Whose a run's token is, for WhoAmI.
        asks: &["runs"],
        database: Some((ServiceRole::Auth, 4)),
    },
];

/// The roles of this process.
#[derive(Clone, Debug)]
pub struct Roles(Vec<&'static Role>);

impl Roles {
    /// All of them.
    pub fn all() -> Self {
        Self(ROLES.iter().collect())
    }

    /// The roles of these names; `all` stands for every one.
    pub fn named(names: &[String]) -> Result<Self> {
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

    /// Checks that what they call is here or known, and that who calls them can.
    pub fn check(&self, known: &[&str], listens: bool) -> Result<()> {
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

    /// The roles that they call and that are not among them, and whether they are needed.
    pub fn peers(&self) -> Vec<(&'static Role, bool)> {
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

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|role| role.name)
    }

    /// Whether a role is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|role| role.name == name)
    }

    /// Whether any of them has a database.
    pub fn need_database(&self) -> bool {
        self.0.iter().any(|role| role.database.is_some())
    }

    /// The full names of the services that they serve.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flat_map(|role| role.services.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(names: &[&str], known: &[&str], listens: bool) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        match Roles::named(&names).and_then(|roles| roles.check(known, listens)) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_role_without_its_peers_is_refused_in_words() {
        assert_eq!(refusal(&["all"], &[], false), "");
        let each = ["edge", "ingress", "runs", "repositories", "auth", "auth"];
        assert_eq!(refusal(&each, &[], false), "");
        let refused = refusal(&["runs"], &["repositories"], true);
        assert!(
            refused.contains("role runs calls auth") && refused.contains("CK8S_PEER_AUTH"),
            "{refused}"
        );
        assert_eq!(refusal(&["runs"], &["repositories", "auth"], true), "");
        assert!(refusal(&["auth"], &[], false).contains("--mesh-listen"));
        assert_eq!(
            refusal(
                &["edge"],
                &["ingress", "runs", "repositories", "auth"],
                false
            ),
            ""
        );
        assert!(refusal(&["lease"], &[], true).contains("there is no role \"lease\""));
    }

    #[test]
    fn peers_are_the_roles_that_are_called_and_run_elsewhere() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let peers = Roles::named(&names).unwrap().peers();
            let named = |(role, needed): (&Role, bool)| (role.name, needed);
            peers.into_iter().map(named).collect::<Vec<_>>()
        };
        assert_eq!(of(&["all"]), []);
        assert_eq!(of(&["auth"]), [("runs", false)]);
        assert_eq!(of(&["runs"]), [("repositories", true), ("auth", true)]);
        assert_eq!(
            of(&["edge", "ingress", "runs"]),
            [("repositories", true), ("auth", true)]
        );
    }

    #[test]
    fn every_service_of_the_contract_has_exactly_one_role() {
        let mut served: Vec<&str> = Roles::all().services().collect();
        served.sort_unstable();
        let contract =
            prost_reflect::DescriptorPool::decode(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut wanted: Vec<String> = contract
            .services()
            .map(|service| service.full_name().to_owned())
            .collect();
        wanted.sort_unstable();
        assert_eq!(served, wanted);
    }

    #[test]
    fn needs_name_roles() {
        for role in ROLES {
            for need in role.needs.iter().chain(role.asks) {
                assert!(ROLES.iter().any(|other| other.name == *need), "{need}");
            }
        }
    }
}
