//! Shapes of the OpenAPI document that no wire type derives, by name.
//!
//! `shapes` names them for `components/schemas`, `of_kind` those that every kind of record has;
//! what a route gives and takes is in `routes`.

use serde_json::Value;

use super::{county, exchange, packs, public, records, units, webhooks};

/// Every schema by its name, but those of kinds.
pub fn shapes() -> Vec<(&'static str, Value)> {
    vec![
        ("Exchange", exchange::exchange()),
        ("PhoneClock", exchange::phone_clock()),
        ("Mutation", exchange::mutation()),
        ("PullAsk", exchange::pull_ask()),
        ("Unsent", exchange::unsent()),
        ("Answer", exchange::answer()),
        ("Unanswered", exchange::unanswered()),
        ("PullAnswer", exchange::pull_answer()),
        ("StreamRef", exchange::stream_ref()),
        ("StreamChanges", exchange::stream_changes()),
        ("StreamColumns", exchange::stream_columns()),
        ("Column", exchange::column()),
        ("Row", exchange::row()),
        ("StreamSum", exchange::stream_sum()),
        ("WaitAsk", exchange::wait_ask()),
        ("Poke", exchange::poke()),
        ("Verdict", records::verdict()),
        ("RuleRef", records::rule_ref()),
        ("Notice", records::notice()),
        ("FieldError", records::field_error()),
        ("Problem", records::problem()),
        ("Void", records::void()),
        ("Today", county::today()),
        ("Totals", county::totals()),
        ("Kpi", county::kpi()),
        ("KpiOfUnit", county::kpi_of_unit()),
        ("Ledger", county::ledger()),
        ("LedgerCell", county::ledger_cell()),
        ("Escalated", county::escalated()),
        ("PackDocument", packs::pack_document()),
        ("PackListed", packs::pack_listed()),
        ("Pack", packs::pack()),
        ("PackNamed", packs::pack_named()),
        ("PackProposal", packs::pack_proposal()),
        ("PackPublish", packs::pack_publish()),
        ("TrialAsk", packs::trial_ask()),
        ("Trial", packs::trial()),
        ("TrialReport", packs::trial_report()),
        ("LiveChange", county::live_change()),
        ("LiveClosed", county::live_closed()),
        ("Unit", units::unit()),
        ("UnitPage", units::unit_page()),
        ("ActivityCard", public::card()),
        ("ActivityCards", public::cards()),
        ("CardStanding", public::standing()),
        ("VillagePoints", units::village_points()),
        ("Webhook", webhooks::webhook()),
    ]
}

/// Schemas that each kind has beside its body: a record as REST shows it, a page of a list, and
/// what a write sends.
pub fn of_kind(kind: &str) -> Vec<(String, Value)> {
    vec![
        (format!("{kind}_record"), records::record(kind)),
        (format!("{kind}_page"), records::page(kind)),
        (format!("{kind}_write"), records::write(kind)),
    ]
}
