//! The roles as data: what each serves, whom it calls, as whom it acts in the database.
use anyhow::{Result, bail};
use ck8s_db::ServiceRole;

/// A part of the server that a process can take on.
#[derive(Debug)]
pub struct Role {
    /// Its name on the command line and in the mesh.
    pub name: &'static str,
    /// The gRPC services that it serves.
    pub services: &'static [&'static str],
    /// The roles that it calls.
    pub needs: &'static [&'static str],
    /// Its role in the database, and how many connections it may hold.
    pub database: Option<(ServiceRole, u32)>,
}

/// Every role. The worker is none of them: it is a client, and has a command of its own.
pub const ROLES: &[Role] = &[
    Role {
        name: "edge",
        services: &[],
        needs: &["ingress", "runs", "repositories", "auth"],
        database: None,
    },
    Role {
        name: "ingress",
        services: &["ck8s.ingress.v1.IngressService"],
        needs: &["repositories", "runs", "auth"],
        database: Some((ServiceRole::Ingress, 8)),
    },
    Role {
        name: "runs",
        services: &["ck8s.runs.v1.RunsService", "ck8s.runs.v1.LeaseService"],
        needs: &["repositories", "auth"],
        database: Some((ServiceRole::Runs, 10)),
    },
    Role {
        name: "repositories",
        services: &["ck8s.repositories.v1.RepositoriesService"],
        needs: &["auth"],
        database: Some((ServiceRole::Repositories, 4)),
    },
    Role {
        name: "auth",
        services: &["ck8s.auth.v1.AuthService", "ck8s.auth.v1.ProjectsService"],
        needs: &[],
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

    /// Checks that every role's peers are here too, and that something listens: roles of different processes do not reach each other yet.
    pub fn check(&self) -> Result<()> {
        for role in &self.0 {
            let absent: Vec<&str> = role
                .needs
                .iter()
                .filter(|need| !self.has(need))
                .copied()
                .collect();
            if !absent.is_empty() {
                bail!(
                    "role {} calls {}, which this process does not run, and roles of different processes do not reach each other yet: \
                     use --role all (as many processes as you like, on one database)",
                    role.name,
                    absent.join(", ")
                );
            }
        }
        if !self.has("edge") {
            bail!(
                "without the role edge nothing listens, and roles of different processes do not reach each other yet: \
                 use --role all (as many processes as you like, on one database)"
            );
        }
        Ok(())
    }

    /// Whether a role is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|role| role.name == name)
    }

    /// The full names of the services that they serve.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flat_map(|role| role.services.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        match Roles::named(&names).and_then(|roles| roles.check()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_role_without_its_peers_is_refused_in_words() {
        assert_eq!(refusal(&["all"]), "");
        assert_eq!(
            refusal(&["edge", "ingress", "runs", "repositories", "auth", "auth"]),
            ""
        );
        assert!(refusal(&["runs"]).contains("role runs calls repositories, auth"));
        assert!(refusal(&["auth"]).contains("nothing listens"));
        assert!(refusal(&["lease"]).contains("there is no role \"lease\""));
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
            for need in role.needs {
                assert!(ROLES.iter().any(|other| other.name == *need), "{need}");
            }
        }
    }
}
