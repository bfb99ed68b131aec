//! Types and pure decisions: no SQL, no wire, no clock.
pub mod repository;
pub mod sealing;
pub mod services_yaml;
