//! What work counts as: from the services of the catalogue and from the work category.
//!
//! A category that is not service decides alone; otherwise the best of the listed services does.
//! A visit that names no known service counts as assistive, because nobody can say what it was.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::pack::{CATALOGUE, CatalogueDoc, Class, ServiceDoc};

static SHIPPED: LazyLock<CatalogueDoc> = LazyLock::new(|| {
    serde_norway::from_str(CATALOGUE).expect("the shipped catalogue is well-formed")
});
static SERVICES: LazyLock<HashMap<&str, &ServiceDoc>> = LazyLock::new(|| {
    let services = SHIPPED.services.iter();
    services
        .map(|service| (service.code.as_str(), service))
        .collect()
});
static CATEGORIES: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
    let categories = SHIPPED.work_categories.iter();
    categories
        .map(|category| (category.code.as_str(), category.class))
        .collect()
});

/// The catalogue that ships with the programme.
pub fn catalogue() -> &'static CatalogueDoc {
    &SHIPPED
}

/// The service of a code.
pub fn service(code: &str) -> Option<&'static ServiceDoc> {
    SERVICES.get(code).copied()
}

/// What a record counts as, before any tag.
pub fn class_of(kind: Kind, record: &Value) -> Class {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let by_category = text("work_category").map_or(Class::Professional, of_category);
    match kind {
        Kind::Visit => by_category.min(of_services(record)),
        Kind::CheckIn => by_category.min(of_purpose(text("purpose"))),
        Kind::WorkTime => of_time(text("class")),
        _ => by_category,
    }
}

fn of_services(record: &Value) -> Class {
    let codes = record.get("services").and_then(Value::as_array);
    let known = codes.into_iter().flatten().filter_map(Value::as_str);
    let classes = known.filter_map(|code| service(code).map(|service| service.class));
    classes.max().unwrap_or(Class::Assistive)
}

fn of_category(category: &str) -> Class {
    let known = CATEGORIES.get(category);
    known.copied().unwrap_or(Class::Administrative)
}

fn of_purpose(purpose: Option<&str>) -> Class {
    match purpose {
        Some("visit" | "activity") | None => Class::Professional,
        Some("duty") => Class::Administrative,
        Some(_) => Class::Assistive,
    }
}

fn of_time(class: Option<&str>) -> Class {
    match class {
        Some("professional") => Class::Professional,
        Some("assistive" | "supervision_training" | "working_travel") => Class::Assistive,
        _ => Class::Administrative,
    }
}
