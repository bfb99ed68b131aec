//! The contract in Rust: generated from proto/ by `bootstrap/local/gen`, committed, never edited; only this file is written by hand.
#![allow(missing_docs, clippy::all, unused_qualifications)]

macro_rules! package {
    ($noun:ident, $file:literal) => {
        pub mod $noun {
            pub mod v1 {
                include!($file);
            }
        }
    };
}

package!(auth, "ck8s.auth.v1.rs");
package!(ingress, "ck8s.ingress.v1.rs");
package!(policy, "ck8s.policy.v1.rs");
package!(repositories, "ck8s.repositories.v1.rs");
package!(runs, "ck8s.runs.v1.rs");

/// Every file of the contract and what it imports, with the policy options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("descriptor.bin");
