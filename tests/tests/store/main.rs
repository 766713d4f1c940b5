//! The store on both engines: shapes, statements, transactions, keys.

mod keys;
mod migrations;
mod statements;
mod transactions;
