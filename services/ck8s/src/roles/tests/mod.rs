//! The table of roles is complete, and refuses what cannot be served.
mod manifests;

use super::*;

fn refusal(names: &[&str], known: &[&str], listens: bool) -> String {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    match Roles::named(&names).and_then(|roles| roles.check(known, listens)) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_role_without_its_peers_is_refused_with_a_sentence() {
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
    let contract = prost_reflect::DescriptorPool::decode(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
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
