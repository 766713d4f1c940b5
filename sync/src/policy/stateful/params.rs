//! Parameters of the built-ins, with the values that hold when a pack names none.

use std::collections::BTreeMap;

use serde_json::Value;
use xiangyi_proto::pack::StatefulRule;
use xiangyi_proto::time::{DAY_MS, MINUTE_MS};

/// Parameters of a built-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    pub tolerance_ms: i64,
    pub except_modes: Vec<String>,
    pub kmh_max: f64,
    pub metres_min: f64,
    /// Letters below which accounts are not compared.
    pub letters_min: i64,
    /// What two accounts have in common at the least.
    pub percent_min: i64,
    /// Days around a visit in which accounts are compared.
    pub within_ms: i64,
    /// Days on duty in an office that are a reason to ask, and of how many.
    pub office_days: i64,
    pub within_days: i64,
    /// How many other accounts are alike at the least.
    pub times: i64,
    /// Minutes of a day that are no reason to ask.
    pub minutes_max: i64,
    /// Arrivals of a day that are no reason to ask.
    pub pairs_max: i64,
}

impl Params {
    /// Reads the parameters of a rule; unknown names and wrong types are refused.
    pub fn read(rule: StatefulRule, params: &BTreeMap<String, Value>) -> Result<Self, String> {
        let mut read = Self {
            tolerance_ms: 10 * MINUTE_MS,
            except_modes: Vec::new(),
            kmh_max: 120.0,
            metres_min: 5_000.0,
            letters_min: 30,
            percent_min: 70,
            within_ms: 31 * DAY_MS,
            office_days: 10,
            within_days: 31,
            times: 1,
            minutes_max: 720,
            pairs_max: 3,
        };
        for (name, value) in params {
            if !names(rule).contains(&name.as_str()) {
                return Err(format!("unknown parameter {name}"));
            }
            read.set(name, value)?;
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let wrong = || format!("parameter {name} is not a number");
        let number = || value.as_f64().filter(|number| *number >= 0.0);
        let whole = |most: i64| {
            let whole = value.as_i64().filter(|whole| (0..=most).contains(whole));
            whole.ok_or_else(wrong)
        };
        match name {
            "tolerance_minutes" => self.tolerance_ms = whole(1_440)? * MINUTE_MS,
            "kmh_max" => self.kmh_max = number().filter(|kmh| *kmh > 0.0).ok_or_else(wrong)?,
            "metres_min" => self.metres_min = number().ok_or_else(wrong)?,
            "letters" => self.letters_min = whole(4_000)?,
            "percent" => self.percent_min = whole(100)?,
            "days" => {
                self.within_ms = whole(366)? * DAY_MS;
                self.office_days = whole(366)?.max(1);
            }
            "within_days" => self.within_days = whole(366)?.max(1),
            "times" => self.times = whole(1_000)?.max(1),
            "minutes" => self.minutes_max = whole(1_440)?,
            "pairs" => self.pairs_max = whole(100)?,
            _ => self.except_modes = words(value).ok_or("except_modes is a list of words")?,
        }
        Ok(())
    }
}

const fn names(rule: StatefulRule) -> &'static [&'static str] {
    match rule {
        StatefulRule::OverlappingVisits | StatefulRule::CoWorkerElsewhere => {
            &["tolerance_minutes", "except_modes"]
        }
        StatefulRule::ImpossibleTravel => &["kmh_max", "metres_min"],
        StatefulRule::CheckOutBeforeIn => &["tolerance_minutes"],
        StatefulRule::SignInPairs => &["pairs"],
        StatefulRule::SameOfficeDays => &["days", "within_days"],
        StatefulRule::CopiedNarrative => &["letters", "percent", "days", "times"],
        StatefulRule::HoursLimit => &["minutes"],
        StatefulRule::PhotoReuse | StatefulRule::BelowAge | StatefulRule::WithoutCertificate => &[],
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array()?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    list.iter().map(word).collect()
}
