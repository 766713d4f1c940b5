//! A county's pack only tightens: the analysis that every pack passes before it is in force.
//!
//! A county's pack holds beside the province's, with lexicons, words and conditions of its own:
//! it adds hits and takes none away, the severest hit wins, and a tag only lowers a class. What
//! could still loosen is refused here, with the rule: danger, which lowers refusals to holds;
//! amending, which takes out of a record what the province's rules read in its next revision;
//! exemptions; and ids that could be taken for the province's. See
//! `server/decisions/0014-packs-as-living-law.md`.

use xiangyi_proto::kinds::{Kind, Life};
use xiangyi_proto::pack::{PackDoc, RuleDoc, RuleVerdict};
use xiangyi_proto::region::COUNTY_DIGITS;

use super::compile::{CompiledPack, compile};
use super::fault::PackFault;

/// Digits of a province.
const PROVINCE_DIGITS: usize = 2;

/// Compiles a pack that may be put in force: sound in itself, and a county's only tightens.
pub fn sound(doc: &PackDoc) -> Result<CompiledPack, Vec<PackFault>> {
    let loose = loosening(doc);
    match compile(doc) {
        Ok(pack) if loose.is_empty() => Ok(pack),
        Ok(_) => Err(loose),
        Err(mut faults) => {
            faults.extend(loose);
            Err(faults)
        }
    }
}

/// What of a pack could loosen another's rules.
fn loosening(doc: &PackDoc) -> Vec<PackFault> {
    let mut faults = Vec::new();
    match doc.pack.len() {
        PROVINCE_DIGITS => faults.extend(doc.rules.iter().filter_map(like_a_countys)),
        COUNTY_DIGITS => {
            let lifted = doc.exemptions.iter().map(|exemption| {
                let place = format!("exemptions/{}", exemption.id);
                PackFault::of_pack(place, "only the province exempts; a county's pack tightens")
            });
            faults.extend(lifted);
            faults.extend(doc.rules.iter().flat_map(|rule| of_county(&doc.pack, rule)));
        }
        _ => faults.push(PackFault::of_pack(
            "pack",
            "is neither a province (two digits) nor a county (six)",
        )),
    }
    faults.extend(doc.rules.iter().flat_map(never_judged));
    if doc.version < 1 {
        faults.push(PackFault::of_pack("version", "counts from 1"));
    }
    faults
}

/// Kinds of which no pack says anything: what the server or a reviewer writes, and order reports.
fn never_judged(rule: &RuleDoc) -> impl Iterator<Item = PackFault> + '_ {
    let own = [Kind::Review, Kind::IncidentStep, Kind::OrderReport];
    let is_never = move |kind: &&Kind| kind.spec().life == Life::ServerOnly || own.contains(kind);
    let fault = |kind: &Kind| {
        let message = format!("{} is never judged by a pack", kind.name());
        PackFault::of_rule(&rule.id, "kinds", message)
    };
    rule.kinds.iter().filter(is_never).map(fault)
}

fn of_county(county: &str, rule: &RuleDoc) -> Vec<PackFault> {
    let mut faults = Vec::new();
    let mut refuse = |is_bad: bool, place: &str, message: &str| {
        if is_bad {
            faults.push(PackFault::of_rule(&rule.id, place, message));
        }
    };
    let own = rule.id.strip_prefix(county);
    let own = own.is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'));
    refuse(
        !own,
        "id",
        &format!("a county's rule is named {county}-…, so that it replaces none of the province's"),
    );
    refuse(
        rule.danger.is_some(),
        "danger",
        "lowers the province's refusals to holds: only the province says what danger is",
    );
    refuse(
        rule.verdict == Some(RuleVerdict::Amend),
        "verdict",
        "amending takes out of a record what the province's rules read: use warn, hold or reject",
    );
    faults
}

/// A province's rule that carries the name of a county's.
fn like_a_countys(rule: &RuleDoc) -> Option<PackFault> {
    let (digits, _) = rule.id.split_once('-')?;
    let is_county = digits.len() == COUNTY_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    is_county.then(|| PackFault::of_rule(&rule.id, "id", "such names are a county's"))
}
