//! Every SQL text of the store is understood by both engines.
