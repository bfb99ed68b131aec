//! Scenarios across services, on real parts.
