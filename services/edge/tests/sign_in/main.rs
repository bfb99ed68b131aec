//! Sign-in over HTTP: the public listener, the real auth service, and a fake GitHub that speaks HTTP.
#![allow(clippy::unwrap_used)]

mod limits;
mod scripts;
mod web;
mod world;
