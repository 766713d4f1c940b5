//! The rules of Xiangyi: pure functions without input, output, a clock or randomness.

pub mod policy;
pub mod shape;
