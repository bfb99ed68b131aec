//! The memory that hostile bodies take: next to none before the signature is checked, and a bounded multiple of the
//! body after it.
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use ck8s_types::{ProjectId, RepositoryId, RunSpec};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{super::envelope, *};
use crate::domain::{
    forks::ForkPolicy,
    repository::WebhookSecrets,
    signature::WebhookSecret,
    trigger::{AllowedBots, GlobFilter, Trigger},
};

const SECRET: &[u8] = b"the secret of the webhook";
const MIB: usize = 1024 * 1024;
/// The size of each body.
const BODY_BYTES: usize = 4 * MIB;

thread_local! {
    /// The bytes that this thread has allocated, and the most that it had at once.
    static ALLOCATED: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, which counts for each thread.
struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn count(change: isize) {
    // A thread that ends has no counter any more.
    let _ = ALLOCATED.try_with(|allocated| {
        let (now, peak) = allocated.get();
        let now = now + change;
        allocated.set((now, peak.max(now)));
    });
}

#[allow(unsafe_code, reason = "an allocator cannot be counted without")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// Returns what the work returns, and the most memory that it had at once.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATED.with(|allocated| allocated.set((0, 0)));
    let result = work();
    let (_, peak) = ALLOCATED.with(Cell::get);
    (result, usize::try_from(peak).expect("not negative"))
}

/// Returns a body of the size, made of a beginning, as many repetitions as fit, and an end.
fn body(begin: &str, repeated: &str, end: &str) -> Vec<u8> {
    let count = (BODY_BYTES - begin.len() - end.len()) / repeated.len();
    format!("{begin}{}{end}", repeated.repeat(count)).into_bytes()
}

fn hostile_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let head = r#"{"repository":{"id":1},"#;
    let of = |begin: &str, repeated: &str, end: &str| {
        body(&format!("{head}{begin}"), repeated, &format!("{end}}}"))
    };
    vec![
        ("push", of(r#""commits":["#, "{},", "{}]")),
        ("push", of(r#""commits":[{"added":["#, r#""","#, r#"""]}]"#)),
        ("issues", of(r#""issue":{"labels":["#, "{},", "{}]}")),
        (
            "issue_comment",
            of(r#""comment":{"body":""#, r"\n", r#""}"#),
        ),
        ("push", of(r#""unknown":["#, "[{}],", "0]")),
    ]
}

fn signed(event: &str, body: Vec<u8>) -> Webhook {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any key");
    mac.update(&body);
    Webhook {
        provider: "github".to_owned(),
        event: event.to_owned(),
        delivery_key: "1".to_owned(),
        signature: format!("sha256={}", hex::encode(mac.finalize().into_bytes())),
        body: body.into(),
    }
}

/// Returns a repository whose triggers look at everything that a list can hold.
fn repository() -> Repository {
    let trigger = |event: &str| Trigger {
        name: event.to_owned(),
        event: event.to_owned(),
        actions: Vec::new(),
        labels: Vec::new(),
        comment: String::new(),
        branches: GlobFilter::default(),
        tags: GlobFilter::default(),
        paths: GlobFilter::default(),
        honours_skip_markers: true,
        bots: AllowedBots::default(),
        forks: ForkPolicy::default(),
        stop: false,
        schedule: None,
        spec: Ok(RunSpec::default()),
    };
    let paths = GlobFilter::new(vec!["src/**".to_owned()], Vec::new()).expect("a glob");
    Repository {
        id: RepositoryId::new(),
        project_id: ProjectId::new(),
        full_name: "acme/shop".to_owned(),
        triggers: vec![
            Trigger {
                paths,
                ..trigger("push")
            },
            Trigger {
                labels: vec!["run".to_owned()],
                ..trigger("issues")
            },
            trigger("issue_comment"),
        ],
        default_branch: "main".to_owned(),
        secrets: WebhookSecrets {
            current: Some(WebhookSecret::new(SECRET)),
            previous: Vec::new(),
            previous_until_ms: None,
        },
        write_access: WriteAccessSource::Payload,
    }
}

#[test]
fn before_the_signature_is_checked_a_body_takes_no_memory() {
    for (event, body) in hostile_bodies() {
        let webhook = signed(event, body);
        let (envelope, peak) = peak_of(|| envelope::read_now(&webhook));
        assert_eq!(envelope.ok().and_then(|e| e.repository_id), Some(1));
        assert!(peak < 4 * 1024, "{event}: {peak} bytes");
    }
}

#[test]
fn a_signed_body_takes_at_most_three_times_its_size() {
    let (verifier, repository) = (Verifier::new(None), [Arc::new(repository())]);
    for (event, body) in hostile_bodies() {
        let size = body.len();
        let webhook = signed(event, body);
        let envelope = envelope::read_now(&webhook).expect("an envelope");
        let (prepared, peak) = peak_of(|| prepare_now(&verifier, &webhook, envelope, &repository));
        assert!(prepared.is_ok(), "{event}: {:?}", prepared.err());
        // The body itself, and what was taken beside it.
        assert!(size + peak <= 3 * size + MIB, "{event}: {peak} bytes");
    }
}

#[test]
fn a_forged_body_is_rejected_without_being_parsed() {
    let (verifier, repository) = (Verifier::new(None), [Arc::new(repository())]);
    for (event, body) in hostile_bodies() {
        let forged = Webhook {
            signature: format!("sha256={}", "0".repeat(64)),
            ..signed(event, body)
        };
        let envelope = envelope::read_now(&forged).expect("an envelope");
        let (prepared, peak) = peak_of(|| prepare_now(&verifier, &forged, envelope, &repository));
        assert_eq!(prepared.err(), Some(Rejection::SignatureInvalid));
        assert!(peak < 4 * 1024, "{event}: {peak} bytes");
    }
}
