//! Reviews: the table says everything; who may decide what is in `crate::review`.

use super::Rules;

pub struct Review;
impl Rules for Review {}
