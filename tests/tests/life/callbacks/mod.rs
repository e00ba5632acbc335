//! Hooks that are asked, receivers that are told, methods that others answer: with a real HTTP server at the other end.

mod delivery;
mod hooks;
mod methods;
mod points;
pub(crate) mod receiver;
