//! All SQL of this service: free functions that take a connection. Rows stay in here.
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod people;
pub(crate) mod projects;
pub(crate) mod requests;
pub(crate) mod tokens;
pub(crate) mod users;

/// The constraint that a statement violated.
fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}
