//! IngressService: verify, store and deduplicate deliveries, match triggers, create runs.
