//! The rules of Xiangyi: pure functions over what was loaded.
//!
//! What lives here: admission, judgement, `apply`, merge, slots, reviews, views, cursors, pages,
//! sums, and the phone's half. What never does: tokio, sqlx, files, a clock, randomness.

pub mod admit;
pub mod apply;
pub mod check;
pub mod clock_quality;
pub mod columns;
pub mod cursor;
pub mod decide;
pub mod digest;
pub mod echo;
pub mod effects;
pub mod geo;
pub mod hear;
pub mod hold;
pub mod incident;
pub mod keep;
pub mod kinds;
pub mod kpi;
pub mod ledger;
pub mod merge;
pub mod merging;
pub mod moves;
pub mod phone;
pub mod photos_here;
pub mod policy;
pub mod project;
pub mod pull;
pub mod report;
pub mod restore;
pub mod review;
pub mod shape;
pub mod signed;
pub mod slots;
pub mod stamp;
pub mod sums;
pub mod timers;
pub mod tree;
pub mod view;
pub mod wants;
pub mod words;
pub mod world;
