//! Built-in rules over facts of other records: two visits at once, travel nobody could make,
//! photographs and accounts used again, more hours than a day has.
//!
//! They compare the record being judged with the facts handed in and never load any. Facts give
//! suspicion only: a rule over them holds, warns or tags, it never rejects.

mod copies;
mod hours;
mod params;
mod terms;
mod times;

use xiangyi_proto::kinds::Kind;
use xiangyi_proto::pack::StatefulRule;

use super::Question;
use super::facts::Fact;
pub use params::Params;

/// The kinds a built-in can judge.
pub fn kinds(rule: StatefulRule) -> &'static [Kind] {
    match rule {
        StatefulRule::OverlappingVisits
        | StatefulRule::CoWorkerElsewhere
        | StatefulRule::PhotoReuse
        | StatefulRule::CopiedNarrative => &[Kind::Visit],
        StatefulRule::HoursLimit => &[Kind::Visit, Kind::WorkTime],
        StatefulRule::ImpossibleTravel
        | StatefulRule::CheckOutBeforeIn
        | StatefulRule::SignInPairs
        | StatefulRule::SameOfficeDays => &[Kind::CheckIn],
        StatefulRule::BelowAge | StatefulRule::WithoutCertificate => &[Kind::SignUp],
    }
}

/// Whether a built-in applies to a record, given the facts: the places in the record that show
/// it, which may be none of those that the rule does not name itself.
pub fn applies(
    rule: StatefulRule,
    params: &Params,
    q: &Question,
    facts: &[Fact],
) -> Option<Vec<String>> {
    let found = match rule {
        StatefulRule::OverlappingVisits => times::overlaps(params, q, facts),
        StatefulRule::CoWorkerElsewhere => return times::co_workers(params, q, facts),
        StatefulRule::ImpossibleTravel => times::travels(params, q, facts),
        StatefulRule::CheckOutBeforeIn => times::leaves_first(params, q, facts),
        StatefulRule::SignInPairs => times::signs_in_again(params, q, facts),
        StatefulRule::PhotoReuse => return copies::photos(q, facts),
        StatefulRule::CopiedNarrative => copies::account(params, q, facts),
        StatefulRule::HoursLimit => hours::beyond(params, q, facts),
        StatefulRule::BelowAge => terms::below_age(q, facts),
        StatefulRule::WithoutCertificate => terms::without_certificate(q, facts),
        // Counted for the county's board; no record is judged by it.
        StatefulRule::SameOfficeDays => false,
    };
    found.then(Vec::new)
}
