//! What the suites share: scratch folders, a private database cluster, a server on port 0, and
//! clients with names. `load` is the load tool's body.
//!
//! Nothing here is shipped. A suite waits on conditions, never on time, and reaches nothing but
//! loopback.

pub mod actor;
pub mod browser;
pub mod cluster;
pub mod engine;
pub mod field;
pub mod harness;
pub mod load;
pub mod objects;
pub mod program;
pub mod proxy;
pub mod scratch;
pub mod texts;
pub mod trace;
pub mod wechat;
