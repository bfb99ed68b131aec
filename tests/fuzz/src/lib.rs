#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a property that does not hold panics"
)]
mod access_tokens;
mod grpc_web;
mod page_tokens;
mod public_listener;
mod services_yaml;
mod webhook;

/// One entrance of strangers.
pub struct Target {
    /// Its name, and that of the folder with its corpus.
    pub name: &'static str,
    /// Feeds an input to it, and panics if a property does not hold.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "access_tokens",
        run: access_tokens::run,
    },
    Target {
        name: "grpc_web",
        run: grpc_web::run,
    },
    Target {
        name: "page_tokens",
        run: page_tokens::run,
    },
    Target {
        name: "public_listener",
        run: public_listener::run,
    },
    Target {
        name: "services_yaml",
        run: services_yaml::run,
    },
    Target {
        name: "webhook_body",
        run: webhook::body,
    },
    Target {
        name: "webhook_head",
        run: webhook::head,
    },
];
