//! RepositoriesService through its real server, guarded, with the real ProjectsService, on PostgreSQL.
mod add;
mod by_hand;
mod list;
mod remove;
mod request_ids;
mod resolve;
mod rotate;
mod sealed;
mod secrets;
mod update;
mod world;
