//! Who is who: root keys, sealing, passwords, tokens.
//!
//! Nothing here reads a request or runs SQL. Secrets never appear in `Debug`, in logs or in
//! errors.

pub mod addresses;
pub mod password;
pub mod roots;
pub mod seal;
pub mod second_factor;
pub mod tokens;
pub mod turn;
