//! Every method of the contract, called by every kind of caller, on a server whose roles run in processes of their own.
//! Who may call is computed from the method's rule, and what people reach from their roles. A method without a request
//! here fails the test.
mod call;
mod callers;
mod expect;
mod requests;

use std::collections::BTreeSet;

use ck8s_tests::Fleet;
use futures::{StreamExt, stream};

use self::{
    call::{Method, methods},
    callers::Callers,
    expect::Expected,
    requests::{Object, Places},
};

/// How many calls run at the same time.
const MAX_CONCURRENT_CALLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn every_method_does_for_every_caller_what_its_rule_says() {
    // The callers share an address, and calls with unknown tokens are limited by address.
    let fleet = Fleet::start(1, &[("CK8S_SIGN_IN_RATE", "0")]).await;
    let places = Places::make(&fleet).await;
    let callers = Callers::make(&fleet, &places).await;
    let methods = methods();
    let unthought: Vec<&str> = methods
        .iter()
        .filter(|m| m.rule.is_none())
        .map(|m| &*m.path)
        .collect();
    assert!(unthought.is_empty(), "without a rule: {unthought:?}");
    let named: BTreeSet<&str> = requests::METHODS.iter().map(|(path, _)| *path).collect();
    let there: BTreeSet<&str> = methods.iter().map(|m| &*m.path).collect();
    assert_eq!(named, there, "what the matrix asks for, and the contract");

    let mut cells: Vec<(&Method, &callers::Caller, Object)> = Vec::new();
    for method in &methods {
        for caller in callers.all() {
            cells.push((method, caller, Object::Own));
            if requests::names_an_object(&method.path) {
                cells.push((method, caller, Object::Others));
            }
        }
    }
    let count = cells.len();
    let asked = stream::iter(cells).map(|(method, caller, object)| {
        let (fleet, places) = (&fleet, &places);
        async move { cell(fleet, places, method, caller, object).await }
    });
    let wrong: Vec<String> = asked
        .buffer_unordered(MAX_CONCURRENT_CALLS)
        .filter_map(|told| async { told })
        .collect()
        .await;
    println!(
        "{count} cells: {} methods, {} callers",
        methods.len(),
        callers.all().len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Checks one cell, and returns what is wrong with it.
async fn cell(
    fleet: &Fleet,
    places: &Places,
    method: &Method,
    caller: &callers::Caller,
    object: Object,
) -> Option<String> {
    let asked = requests::request(fleet, places, &method.path, object).await;
    let expected = Expected::of(method, caller, object, &asked);
    let answer = caller.calls(method, asked.bytes.clone()).await;
    let problem = expected.differs(&answer, places, caller)?;
    Some(format!(
        "{} {} {object:?}: {problem}",
        method.path, caller.word
    ))
}

/// An object that is hidden from a person and one that does not exist give the same status, to the last byte of its
/// details.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_object_is_reported_like_a_missing_one() {
    // The callers share an address, and calls with unknown tokens are limited by address.
    let fleet = Fleet::start(1, &[("CK8S_SIGN_IN_RATE", "0")]).await;
    let places = Places::make(&fleet).await;
    let callers = Callers::make(&fleet, &places).await;
    let person = callers.named("admin");
    let mut compared = 0;
    for method in methods() {
        if !requests::names_an_object(&method.path) || !method.admits_people() {
            continue;
        }
        let hidden = requests::request(&fleet, &places, &method.path, Object::Others).await;
        let nothing = requests::request(&fleet, &places, &method.path, Object::None).await;
        let told = async |bytes: Vec<u8>, id: &str| {
            let status = person.calls(&method, bytes).await.expect_err("is refused");
            let plain = ck8s_tests::new_id();
            let details = replaced(status.details(), id.as_bytes(), plain.as_bytes());
            let message = status.message().replace(id, "ID");
            let headers: BTreeSet<String> = status
                .metadata()
                .keys()
                .map(|key| format!("{key:?}"))
                .collect();
            (
                status.code(),
                message,
                replaced(&details, plain.as_bytes(), b"ID"),
                headers,
            )
        };
        let (there, not_there) = (
            told(hidden.bytes, &hidden.names).await,
            told(nothing.bytes, &nothing.names).await,
        );
        assert_eq!(there, not_there, "{}", method.path);
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(from.len()).position(|w| w == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}
