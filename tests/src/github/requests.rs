//! The requests that the fake GitHub received, as tests check them.
use serde_json::Value;

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status of the response.
    pub status: u16,
}

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path below the API's address.
    pub path: String,
    /// The query.
    pub query: String,
    /// The request's body; none if it was empty.
    pub request: Option<Value>,
    /// The status of the response.
    pub status: u16,
    /// The response's body; none if it was empty.
    pub response: Option<Value>,
}
