//! Types and pure decisions: no SQL, no wire, no clock.
pub mod repository;
pub mod row;
pub mod services_yaml;
