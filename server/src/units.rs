//! Units: an item for a unit that is in no table is answered in its sender's own county.

use xiangyi_proto::region;
use xiangyi_proto::verdict::FieldError;
use xiangyi_sync::world::{Admitted, Granted};

use crate::app::App;

/// Says whether an item's unit is one of this server.
pub fn is_known(app: &App, item: &Admitted) -> bool {
    let unit = &item.mutation.unit;
    region::shard_of(unit).is_some() && app.regions.knows(unit)
}

/// Gives an item of an unknown unit the fault, and a shard where its answer and a danger it may
/// speak of are seen: that of the sender's newest grant.
pub fn settle(app: &App, grants: &[Granted], item: &mut Admitted) {
    if is_known(app, item) {
        return;
    }
    // Whether a village lies in a unit that nobody knows is no question.
    item.faults
        .retain(|fault| fault.code != "village-outside-unit");
    let (detail, detail_en) = xiangyi_proto::problem::field_words("unit-unknown");
    item.faults.push(FieldError {
        pointer: "/unit".to_owned(),
        code: "unit-unknown".to_owned(),
        detail: detail.to_owned(),
        detail_en: detail_en.to_owned(),
    });
    let newest = grants.iter().max_by_key(|grant| grant.from_at);
    let home = newest.map_or("43", |grant| grant.unit.as_str());
    item.mutation.unit = home.to_owned();
    item.shard = region::shard_of(home).unwrap_or(xiangyi_sync::view::PROVINCE);
}
