//! A worker node: lease-stream client, executors, log shipping.
