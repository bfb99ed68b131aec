//! The public listener over real connections, without a service behind it.
mod connections;
mod pages;
mod webhooks;
mod world;
