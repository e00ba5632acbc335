//! Values and their XML-RPC: the wire's vectors, what Python's own library makes of them, and arbitrary input.

#![allow(clippy::unwrap_used)]

mod any;
mod python;
mod shape;
mod wire;
