//! KPI 5: professional minutes ÷ all working minutes, over two denominators.
//!
//! What was logged flatters a county in which work goes unlogged; the planned time of its people
//! does not. Both stand beside each other with their numerator, and what is not known is `None`.

use std::collections::BTreeMap;

use xiangyi_proto::time::{DAY_MS, Millis, day_number};

/// Working days of a year and hours of a day by which time is planned (劳社部发〔2008〕3号).
pub const PLAN_DAYS: i64 = 250;
/// Hours of a planned day.
pub const PLAN_HOURS: i64 = 8;
/// Minutes planned for one worker and a whole year.
pub const PLAN_YEAR_MINUTES: i64 = PLAN_DAYS * PLAN_HOURS * 60;

/// Minutes that count as work, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minutes {
    by_class: BTreeMap<String, i64>,
}

impl Minutes {
    /// Adds minutes of a class.
    pub fn add(&mut self, class: &str, minutes: i64) {
        *self.by_class.entry(class.to_owned()).or_default() += minutes;
    }

    /// Minutes of a class.
    pub fn of(&self, class: &str) -> i64 {
        self.by_class.get(class).copied().unwrap_or(0)
    }

    /// Every class with its minutes.
    pub fn classes(&self) -> impl Iterator<Item = (&str, i64)> {
        let all = self.by_class.iter();
        all.map(|(class, minutes)| (class.as_str(), *minutes))
    }

    /// The numerator.
    pub fn professional(&self) -> i64 {
        self.of("professional")
    }

    /// The denominator of what was logged: everything but leave.
    pub fn working(&self) -> i64 {
        let all = self.by_class.iter();
        all.filter(|(class, _)| *class != "leave")
            .map(|(_, minutes)| minutes)
            .sum()
    }
}

/// Days of a period, from and to, by number.
pub type Days = (i64, i64);

/// Days on which one person has a post, of a period; posts side by side count a day once.
pub fn days_in_post(posts: &[(Millis, Option<Millis>)], (from, to): Days) -> i64 {
    let holds = |day: &i64| {
        let begins = day * DAY_MS - xiangyi_proto::time::UTC_PLUS_8_MS;
        let covers = |post: &(Millis, Option<Millis>)| {
            post.0 < begins + DAY_MS && post.1.is_none_or(|end| end > begins)
        };
        posts.iter().any(covers)
    };
    let days = (from..to).filter(holds).count();
    i64::try_from(days).unwrap_or(i64::MAX)
}

/// The denominator of what was planned: days in post of everybody, of a year of so many days.
pub const fn planned(worker_days: i64, year_days: i64) -> i64 {
    PLAN_YEAR_MINUTES * worker_days / year_days
}

/// A share in four places; nothing over nothing is not known.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

/// The plan's target of a year: 30 % in 2021, 40 % in 2022, 50 % from 2023 on.
pub const fn target_percent(year: i64) -> i64 {
    match year {
        ..=2021 => 30,
        2022 => 40,
        _ => 50,
    }
}

/// First day and the day after the last of a year, or of a month of it.
pub fn period(year: i64, month: Option<i64>) -> Option<Days> {
    let first = |year: i64, month: i64| {
        xiangyi_proto::time::day_of_text(&format!("{year:04}-{month:02}-01"))
    };
    match month {
        None => Some((first(year, 1)?, first(year + 1, 1)?)),
        Some(12) => Some((first(year, 12)?, first(year + 1, 1)?)),
        Some(month) => Some((first(year, month)?, first(year, month + 1)?)),
    }
}

/// A period that is not over counts up to the end of this day.
pub fn until_now((from, to): Days, now: Millis) -> Days {
    (from, to.min(day_number(now) + 1).max(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leave_is_no_work_and_travel_is() {
        let mut minutes = Minutes::default();
        for (class, some) in [
            ("professional", 300),
            ("assistive", 100),
            ("administrative", 60),
            ("supervision_training", 30),
            ("working_travel", 10),
            ("leave", 480),
        ] {
            minutes.add(class, some);
        }
        assert_eq!((minutes.professional(), minutes.working()), (300, 500));
        assert_eq!(share(300, 500), Some(0.6));
        assert_eq!(share(0, 0), None);
    }

    #[test]
    fn a_post_counts_by_the_day_and_once() {
        let days = period(2026, Some(1)).expect("a month");
        assert_eq!(days.1 - days.0, 31);
        let start = |day: i64| day * DAY_MS - xiangyi_proto::time::UTC_PLUS_8_MS;
        let whole = (0, None);
        let first = (0, Some(start(days.0 + 10)));
        let last = (start(days.0 + 20), None);
        assert_eq!(days_in_post(&[whole, first], days), 31);
        assert_eq!(days_in_post(&[first, last], days), 21);
        assert_eq!(days_in_post(&[], days), 0);
        // A whole year of one worker is 250 days of 8 hours.
        assert_eq!(planned(365, 365), 120_000);
        let year = period(2024, None).expect("a year");
        assert_eq!(planned(year.1 - year.0, 366), 120_000);
        assert_eq!(until_now(days, start(days.0)), (days.0, days.0 + 1));
    }
}
