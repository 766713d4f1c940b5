//! The HTTP interface, over real sockets: accounts, devices, bodies, routing.

mod account;
mod bodies;
mod devices;
mod disk;
mod full;
mod logs;
mod queries;
mod quota;
mod refresh;
mod routing;
mod sessions;
mod slow;
mod start;
mod throttle;
mod tokens;
