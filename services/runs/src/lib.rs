//! RunsService and LeaseService: runs, slots, leases, the worker stream, logs.
