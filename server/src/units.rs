//! Units: an item for a unit that is in no table is answered in its sender's own county, and so is
//! something new for a unit that was merged into another.

use xiangyi_proto::kinds::Op;
use xiangyi_proto::region;
use xiangyi_proto::verdict::FieldError;
use xiangyi_sync::world::{Admitted, Granted};

use crate::app::App;

/// Says whether an item's unit is one of this server.
pub fn is_known(app: &App, item: &Admitted) -> bool {
    let unit = &item.mutation.unit;
    region::shard_of(unit).is_some() && app.regions.knows(unit) && merged(app, item).is_none()
}

/// What the unit of something new was merged into before it happened. What happened before, and
/// what was stored under the old code, goes on under it.
fn merged(app: &App, item: &Admitted) -> Option<Option<String>> {
    matches!(item.mutation.op, Op::Create | Op::Request).then(|| {
        app.regions
            .closed_at(&item.mutation.unit, item.estimated_at)
    })?
}

/// Gives an item of an unknown unit the fault, and a shard where its answer and a danger it may
/// speak of are seen: that of the sender's newest grant.
pub fn settle(app: &App, grants: &[Granted], item: &mut Admitted) {
    let merged = merged(app, item);
    if merged.is_none() && is_known(app, item) {
        return;
    }
    // Whether a village lies in a unit that nobody knows is no question.
    item.faults
        .retain(|fault| fault.code != "village-outside-unit");
    item.faults.push(unknown(app, merged.flatten().as_deref()));
    let newest = grants.iter().max_by_key(|grant| grant.from_at);
    let home = newest.map_or("43", |grant| grant.unit.as_str());
    item.mutation.unit = home.to_owned();
    item.shard = region::shard_of(home).unwrap_or(xiangyi_sync::view::PROVINCE);
}

fn unknown(app: &App, successor: Option<&str>) -> FieldError {
    let (detail, detail_en) = xiangyi_proto::problem::field_words("unit-unknown");
    let mut fault = FieldError {
        pointer: "/unit".to_owned(),
        code: "unit-unknown".to_owned(),
        detail: detail.to_owned(),
        detail_en: detail_en.to_owned(),
    };
    if let Some(code) = successor {
        let name = app.regions.unit_name(code);
        fault.detail = format!("这个单位已并入 {code} {name}，请用新的代码。");
        fault.detail_en = format!("This unit was merged into {code} {name}; use that code.");
    }
    fault
}
