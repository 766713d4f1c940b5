//! What work counts as, and that the shipped catalogue hangs together.

use std::collections::BTreeSet;

use serde_json::Value;
use xiangyi_proto::kinds::Kind;
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
