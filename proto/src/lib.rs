//! The contract of Xiangyi: plain data that the server, the phone and the tests agree on.
//!
//! What lives here: tables of record kinds, the exchange, verdicts, limits, error codes, the shape
//! of a rule pack. What never does: behaviour, input or output, a clock, randomness.

pub mod account;
pub mod exchange;
pub mod ids;
pub mod kinds;
pub mod limits;
pub mod pack;
pub mod photo;
pub mod problem;
pub mod region;
pub mod role;
pub mod time;
pub mod verdict;
