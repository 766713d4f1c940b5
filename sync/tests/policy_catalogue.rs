//! What work counts as, and that the shipped catalogue hangs together.

use std::collections::BTreeSet;

use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Type};
use xiangyi_proto::pack::ClientCategoryDoc;
use xiangyi_sync::policy::{self, Class};

#[test]
fn classes_come_from_services_and_category() {
    let table = [
        (
            Kind::Visit,
            r#"{"services": ["ec_visit"]}"#,
            Class::Professional,
        ),
        (
            Kind::Visit,
            r#"{"services": ["sa_papers"]}"#,
            Class::Assistive,
        ),
        (
            Kind::Visit,
            r#"{"services": ["sa_papers", "sa_visit"]}"#,
            Class::Professional,
        ),
        (
            Kind::Visit,
            r#"{"services": ["unheard_of"]}"#,
            Class::Assistive,
        ),
        (
            Kind::Visit,
            r#"{"services": ["sa_visit"], "work_category": "office_duty"}"#,
            Class::Administrative,
        ),
        (
            Kind::CheckIn,
            r#"{"purpose": "visit"}"#,
            Class::Professional,
        ),
        (Kind::CheckIn, r#"{"purpose": "travel"}"#, Class::Assistive),
        (
            Kind::WorkTime,
            r#"{"class": "administrative"}"#,
            Class::Administrative,
        ),
        (
            Kind::Activity,
            r#"{"work_category": "party_building"}"#,
            Class::Administrative,
        ),
    ];
    for (kind, body, class) in table {
        let body: Value = serde_json::from_str(body).expect("a body");
        assert_eq!(
            policy::class_of(kind, &body),
            class,
            "{} {body}",
            kind.name()
        );
    }
}

#[test]
fn every_service_of_the_catalogue_belongs_to_a_field() {
    let doc: xiangyi_proto::pack::CatalogueDoc =
        serde_norway::from_str(xiangyi_proto::pack::CATALOGUE).expect("the catalogue reads");
    assert_eq!(doc.fields.len(), 4);
    let codes: BTreeSet<_> = doc.services.iter().map(|service| &service.code).collect();
    assert_eq!(codes.len(), doc.services.len());
    for service in &doc.services {
        assert!(doc.fields.contains_key(&service.field), "{}", service.code);
        assert!(policy::service(&service.code).is_some(), "{}", service.code);
    }
}

/// Codes of a field that is a closed list.
fn codes(kind: Kind, path: &str) -> BTreeSet<&'static str> {
    let fields = kind.spec().fields.iter();
    let field = fields.into_iter().find(|field| field.path == path);
    match field.map(|field| field.ty) {
        Some(Type::Code(list)) => list.iter().copied().collect(),
        other => panic!("{path} is {other:?}"),
    }
}

fn set<'a>(list: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    list.map(String::as_str).collect()
}

#[test]
fn the_catalogue_knows_every_code_of_the_tables_and_no_other() {
    let doc = policy::catalogue();
    let work = set(doc.work_categories.iter().map(|category| &category.code));
    assert_eq!(work, codes(Kind::Visit, "/work_category"));
    let methods = set(doc.methods.iter().map(|method| &method.code));
    assert_eq!(methods, codes(Kind::Visit, "/method"));
    let tiers = set(doc.visit_tiers.iter().map(|tier| &tier.code));
    assert_eq!(tiers, codes(Kind::Client, "/tier"));
    let clients = set(doc.client_categories.iter().map(|category| &category.code));
    assert_eq!(clients.len(), doc.client_categories.len());
    assert!(doc.visit_tiers.is_sorted_by_key(|tier| tier.every_days));
    for method in &doc.methods {
        let stages = set(method.stages.iter().map(|stage| &stage.code));
        assert_eq!(stages.len(), method.stages.len(), "{}", method.code);
    }
}

#[test]
fn the_pack_guards_the_cards_that_the_catalogue_calls_restricted() {
    let doc = policy::read(xiangyi_proto::pack::STARTER).expect("the starter pack reads");
    let mut rules = doc.rules.iter();
    let rule = rules.find(|rule| rule.id == "NL-D13.card");
    let params = &rule.expect("the rule is there").params["restricted"];
    let named = params.as_array().expect("a list").iter();
    let named: BTreeSet<&str> = named.filter_map(Value::as_str).collect();
    let restricted = policy::catalogue().client_categories.iter();
    let restricted = restricted.filter(|category| category.restricted);
    let both = |category: &'static ClientCategoryDoc| [&category.code, &category.zh];
    assert_eq!(named, set(restricted.flat_map(both)));
}
