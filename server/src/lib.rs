//! The server of Xiangyi: HTTP, store, writer, photographs, live feed, commands.
//!
//! Decisions about records live in `xiangyi-sync`; this crate moves bytes, time and rows. Time
//! comes from `clock`, randomness from `entropy`, settings from `config`, and each engine's name
//! stays in `store::dialect`.

pub mod accounts;
pub mod clock;
pub mod entropy;
pub mod store;
