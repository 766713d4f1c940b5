//! The server of Xiangyi: HTTP, store, writer, photographs, live feed, commands, and the phone.
//!
//! Decisions about records live in `xiangyi-sync`; this crate moves bytes, time and rows. Time
//! comes from `clock`, randomness from `entropy`, settings from `config`, and each engine's name
//! stays in `store::dialect`.

pub mod accounts;
pub mod api;
pub mod app;
pub mod backup;
pub mod blobs;
pub mod caller;
pub mod cards;
pub mod clock;
pub mod commands;
pub mod config;
pub mod durable;
pub mod entropy;
pub mod failpoint;
pub mod heard;
pub mod import;
pub mod law;
pub mod lines;
pub mod live;
pub mod metrics;
pub mod moves;
pub mod phone;
pub mod photos;
pub mod private;
pub mod problem;
pub mod pulls;
pub mod rates;
pub mod regions;
pub mod router;
pub mod store;
pub mod tasks;
pub mod ticker;
pub mod trail;
pub mod units;
pub mod webhooks;
pub mod wechat;
pub mod whole;
pub mod writer;

pub use commands::serve::serve;
