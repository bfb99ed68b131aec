//! Handshakes over memory: who is taken, who is not, and which certificate counts when there is another.
use std::io;

use rustls::{ClientConnection, pki_types::ServerName};

use super::*;
use crate::Authority;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn authority() -> Authority {
    let (certificate, key) = Authority::generate().unwrap();
    Authority::from_pem(&certificate, &key).unwrap()
}

fn bundle(authority: &Authority, identity: &Identity) -> Bundle {
    let now = SystemTime::now();
    authority.bundle(identity, now - DAY, now + DAY).unwrap()
}

fn opened(bundle: &Bundle) -> (tempfile::TempDir, Certificates) {
    let dir = tempfile::tempdir().unwrap();
    bundle.write(dir.path()).unwrap();
    let certificates = Certificates::open(dir.path()).unwrap();
    (dir, certificates)
}

/// A handshake between the two; whom the server saw.
fn shake_hands(server: &Certificates, client: &Certificates, role: &str) -> Result<Peer, String> {
    let mut server = ServerConnection::new(server.server()).unwrap();
    let config = Arc::new(client.client(role).unwrap());
    let name = ServerName::try_from("mesh.invalid").unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    let told = |e: rustls::Error| e.to_string();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = io::Cursor::new(wire);
        while server.read_tls(&mut wire).unwrap() > 0 {
            server.process_new_packets().map_err(told)?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = io::Cursor::new(wire);
        while client.read_tls(&mut wire).unwrap() > 0 {
            client.process_new_packets().map_err(told)?;
        }
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Peer::of(&server).map_err(|e| e.to_string())
}

#[test]
fn both_ends_must_be_of_the_authority_and_the_server_must_have_the_expected_role() {
    let ours = authority();
    let (_a, runs) = opened(&bundle(&ours, &Identity::role("runs")));
    let (_b, edge) = opened(&bundle(&ours, &Identity::role("edge")));
    let seen = shake_hands(&runs, &edge, "runs").unwrap();
    assert_eq!(seen.identity, Identity::role("edge"));
    let wrong = shake_hands(&runs, &edge, "auth").unwrap_err();
    assert!(wrong.contains("not for spiffe://ck8s/auth"), "{wrong}");
    let (_c, stranger) = opened(&bundle(&authority(), &Identity::role("edge")));
    assert!(shake_hands(&runs, &stranger, "runs").is_err());
    assert!(shake_hands(&stranger, &edge, "edge").is_err());
}

#[test]
fn what_has_expired_is_refused_by_both_ends() {
    let ours = authority();
    let now = SystemTime::now();
    let old = |role| {
        let role = Identity::role(role);
        ours.bundle(&role, now - 2 * DAY, now - DAY).unwrap()
    };
    let (_a, runs) = opened(&bundle(&ours, &Identity::role("runs")));
    let (_b, edge) = opened(&bundle(&ours, &Identity::role("edge")));
    let (_c, old_edge) = opened(&old("edge"));
    let (_d, old_runs) = opened(&old("runs"));
    assert!(
        shake_hands(&runs, &old_edge, "runs")
            .unwrap_err()
            .contains("xpired")
    );
    assert!(
        shake_hands(&old_runs, &edge, "runs")
            .unwrap_err()
            .contains("xpired")
    );
}

#[test]
fn a_request_gets_the_name_that_the_authority_chooses_and_proves_its_key() {
    let ours = authority();
    let request = crate::Request::new().unwrap();
    let worker = Identity::Worker("node-1".parse().unwrap());
    let issued = ours.sign(&request.csr, &worker, DAY).unwrap();
    let (_a, node) = opened(&request.bundle(&issued));
    assert_eq!(node.identity(), worker);
    let (_b, runs) = opened(&bundle(&ours, &Identity::role("runs")));
    assert_eq!(shake_hands(&runs, &node, "runs").unwrap().identity, worker);

    // The same request with another key's signature.
    let (one, other) = (
        crate::Request::new().unwrap().csr,
        crate::Request::new().unwrap().csr,
    );
    let der = |pem: &str| {
        rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .to_vec()
    };
    let (one, other) = (der(&one), der(&other));
    let cut = one.len() - 60;
    let mut forged = one[..cut].to_vec();
    forged.extend_from_slice(&other[other.len() - 60..]);
    let text = openssl_free_pem(&forged);
    assert!(ours.sign(&text, &worker, DAY).is_err());
    assert!(ours.sign("nonsense", &worker, DAY).is_err());
}

/// PEM by hand.
fn openssl_free_pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let at = (bits >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= chunk.len() {
                char::from(ALPHABET[at])
            } else {
                '='
            });
        }
    }
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
}

#[test]
fn a_new_certificate_is_used_once_its_files_fit() {
    let (ours, role) = (authority(), Identity::role("runs"));
    let (dir, runs) = opened(&bundle(&ours, &role));
    let (_b, edge) = opened(&bundle(&ours, &Identity::role("edge")));
    let changes = runs.changes();
    let fresh = bundle(&authority(), &role);
    std::fs::write(dir.path().join("tls.crt"), &fresh.certificate).unwrap();
    assert!(runs.reload().is_err(), "its key is another");
    shake_hands(&runs, &edge, "runs").unwrap();
    assert!(!changes.has_changed().unwrap());
    fresh.write(dir.path()).unwrap();
    runs.reload().unwrap();
    assert!(changes.has_changed().unwrap());
    assert!(
        shake_hands(&runs, &edge, "runs").is_err(),
        "another authority's"
    );
}
