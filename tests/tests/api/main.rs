//! The HTTP interface, over real sockets: accounts, devices, bodies, routing.

mod bodies;
mod devices;
mod refresh;
mod routing;
mod sessions;
mod throttle;
mod tokens;
