//! The HTTP interface, over real sockets: accounts, devices, bodies, routing.

mod bodies;
mod devices;
mod logs;
mod refresh;
mod routing;
mod sessions;
mod start;
mod throttle;
mod tokens;
