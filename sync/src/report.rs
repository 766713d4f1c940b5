//! Reports of a month, a quarter or a year: persons and person-times, by category, age and sex.
//!
//! A person is counted once however often they were visited; a person-time is one visit. Somebody
//! of several categories stands in each of them, so categories do not add up to the total.

use std::collections::BTreeMap;

use xiangyi_proto::time::{Millis, day_number, day_of_text};

/// A client who was visited, as far as a report asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visited {
    pub sex: Option<String>,
    pub born_on: Option<String>,
    pub categories: Vec<String>,
    pub visits: i64,
}

/// Persons and person-times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub persons: i64,
    pub person_times: i64,
}

impl Count {
    fn add(&mut self, visited: &Visited) {
        self.persons += 1;
        self.person_times += visited.visits;
    }
}

/// A report's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub total: Count,
    pub by_category: BTreeMap<String, Count>,
    pub by_age: BTreeMap<&'static str, Count>,
    pub by_sex: BTreeMap<String, Count>,
}

/// Bands of age as the yearbooks of civil affairs have them: from, to before, name.
const BANDS: [(i64, i64, &str); 6] = [
    (0, 6, "0-5"),
    (6, 14, "6-13"),
    (14, 18, "14-17"),
    (18, 60, "18-59"),
    (60, 80, "60-79"),
    (80, i64::MAX, "80+"),
];
/// Where nothing is known.
pub const UNKNOWN: &str = "unknown";

/// Counts everybody who was visited; ages are those on the last day of the period.
pub fn count<'a>(visited: impl IntoIterator<Item = &'a Visited>, end: Millis) -> Report {
    let mut report = Report::default();
    for one in visited {
        report.total.add(one);
        let band = one.born_on.as_deref().and_then(|born| band(born, end));
        report
            .by_age
            .entry(band.unwrap_or(UNKNOWN))
            .or_default()
            .add(one);
        let sex = one.sex.as_deref().unwrap_or(UNKNOWN);
        report.by_sex.entry(sex.to_owned()).or_default().add(one);
        if one.categories.is_empty() {
            let none = report.by_category.entry(UNKNOWN.to_owned());
            none.or_default().add(one);
        }
        for category in &one.categories {
            let known = report.by_category.entry(category.clone());
            known.or_default().add(one);
        }
    }
    report
}

/// The band of somebody born on a day (`YYYY-MM-DD`), on the day of a moment.
fn band(born_on: &str, at: Millis) -> Option<&'static str> {
    let born = day_of_text(born_on)?;
    let today = xiangyi_proto::time::day_text(at);
    let number = |text: &str| -> Option<i64> { text.parse().ok() };
    let years = number(today.get(..4)?)? - number(born_on.get(..4)?)?;
    // The birthday of this year is still to come.
    let early = today.get(5..)? < born_on.get(5..)?;
    let years = years - i64::from(early);
    let lives = born <= day_number(at);
    let found = BANDS
        .iter()
        .find(|(from, to, _)| (*from..*to).contains(&years));
    found.filter(|_| lives).map(|(.., name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xiangyi_proto::time::day_start;

    fn at(day: &str) -> Millis {
        day_start(day_of_text(day).expect("a day"))
    }

    #[test]
    fn bands_change_on_the_birthday() {
        for (born, day, name) in [
            ("1946-11-24", "2026-11-23", Some("60-79")),
            ("1946-11-24", "2026-11-24", Some("80+")),
            ("2012-11-25", "2026-11-24", Some("6-13")),
            ("2026-11-24", "2026-11-24", Some("0-5")),
            ("2026-11-25", "2026-11-24", None),
            ("once", "2026-11-24", None),
        ] {
            assert_eq!(band(born, at(day)), name, "{born} on {day}");
        }
    }

    #[test]
    fn a_person_counts_once_and_every_visit_once() {
        let one = |sex: Option<&str>, categories: &[&str], visits| Visited {
            sex: sex.map(str::to_owned),
            born_on: Some("1940-01-01".to_owned()),
            categories: categories.iter().map(|c| (*c).to_owned()).collect(),
            visits,
        };
        let all = [
            one(Some("female"), &["elder", "disabled"], 3),
            one(Some("male"), &["elder"], 1),
            one(None, &[], 2),
        ];
        let report = count(&all, at("2026-11-24"));
        let counted = |persons, person_times| Count {
            persons,
            person_times,
        };
        assert_eq!(report.total, counted(3, 6));
        assert_eq!(report.by_category["elder"], counted(2, 4));
        assert_eq!(report.by_category["disabled"], counted(1, 3));
        assert_eq!(report.by_category[UNKNOWN], counted(1, 2));
        assert_eq!(report.by_sex["female"], counted(1, 3));
        assert_eq!(report.by_sex[UNKNOWN], counted(1, 2));
        assert_eq!(report.by_age["80+"], counted(3, 6));
    }
}
