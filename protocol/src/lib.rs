//! What toji's hub, builder and command line say to each other.

pub mod value;
pub mod xmlrpc;
