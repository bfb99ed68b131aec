//! All SQL of this service: free functions that take a connection. Rows stay here.
pub(crate) mod deliveries;
pub(crate) mod delivery_keys;
pub(crate) mod missing_deliveries;
pub(crate) mod request_ids;
mod run_id_list;
pub(crate) mod schedules;
pub(crate) mod waiting;

#[cfg(test)]
mod tests;
