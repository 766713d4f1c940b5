//! Recorded days: JSON lines, each one thing that somebody does on a phone.
//!
//! `{"at_ms": 600000, "do": "check-in", "village": "430121001001", "as": "c1"}`: `do` and the
//! members of an action; `as` names the new record, `"$c1"` stands for its id later. Besides the
//! actions there are `sync` (with `cut`), `repeat` and `clock`. `at_ms` counts from the day's
//! first moment; the last line is played as if it happened now. `want` and `rule` say where an
//! entry must end.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use xiangyi_sync::phone::{Entry, Place};

use super::{Action, Cut, Handset, ROUNDS_MAX, Told, Trouble, out, show};

/// Names and what they stand for.
pub type Names = BTreeMap<String, Value>;

/// One line of a recorded day.
#[derive(Debug, Clone)]
pub struct Line {
    /// Counted from 1, for messages.
    pub number: usize,
    pub verb: String,
    pub head: Head,
    /// The members of the action.
    pub rest: Map<String, Value>,
}

/// What every line may say beside its action.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Head {
    pub phone: String,
    pub at_ms: i64,
    #[serde(rename = "as")]
    pub name: Option<String>,
    pub cut: Option<Cut>,
    /// Where the entry must be at the end; committed when absent.
    pub want: Option<Place>,
    /// How the id of the rule begins that its verdict must cite.
    pub rule: Option<String>,
}

const HEAD: [&str; 6] = ["phone", "at_ms", "as", "cut", "want", "rule"];

/// What a line did.
#[derive(Debug, Default)]
pub struct Played {
    pub entries: Vec<Entry>,
    pub told: Option<Told>,
}

/// Reads a recorded day; empty lines are skipped.
///
/// # Errors
/// When the file or one of its lines cannot be read; the line is named.
pub async fn read(file: &Path) -> Result<Vec<Line>, Trouble> {
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|error| Trouble::file(file, &error))?;
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| line_of(index + 1, line))
        .collect()
}

fn line_of(number: usize, text: &str) -> Result<Line, Trouble> {
    let mut rest: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| unreadable(number, &error.to_string()))?;
    let head: Map<String, Value> = HEAD
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), rest.remove(*name)?)))
        .collect();
    let head = serde_json::from_value(Value::Object(head));
    let head = head.map_err(|error| unreadable(number, &error.to_string()))?;
    let Some(Value::String(verb)) = rest.remove("do") else {
        return Err(unreadable(number, "do is missing"));
    };
    Ok(Line {
        number,
        verb,
        head,
        rest,
    })
}

fn unreadable(number: usize, why: &str) -> Trouble {
    Trouble::Words(
        format!("第 {number} 行读不懂。"),
        format!("Line {number} cannot be read: {why}"),
    )
}

impl Line {
    /// The action of this line, its names replaced by what they stand for.
    ///
    /// # Errors
    /// When a name is not known or the members do not fit.
    pub fn action(&self, names: &Names) -> Result<Action, Trouble> {
        let mut members = self.filled(names)?;
        members.insert("do".to_owned(), self.verb.clone().into());
        serde_json::from_value(Value::Object(members))
            .map_err(|error| unreadable(self.number, &error.to_string()))
    }

    /// The members with their names replaced.
    ///
    /// # Errors
    /// When a name is not known.
    pub fn filled(&self, names: &Names) -> Result<Map<String, Value>, Trouble> {
        let members = self.rest.iter();
        members
            .map(|(name, value)| Ok((name.clone(), self.fill(value, names)?)))
            .collect()
    }

    fn fill(&self, value: &Value, names: &Names) -> Result<Value, Trouble> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => match names.get(name) {
                    Some(value) => value.clone(),
                    None => return Err(unreadable(self.number, &format!("what is ${name}?"))),
                },
                None => value.clone(),
            },
            Value::Array(list) => {
                let filled: Result<_, Trouble> =
                    list.iter().map(|value| self.fill(value, names)).collect();
                Value::Array(filled?)
            }
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.fill(value, names)?)));
                Value::Object(filled.collect::<Result<_, Trouble>>()?)
            }
            other => other.clone(),
        })
    }
}

/// Plays one line on a phone; `base_ms` is the true time of the day's first moment.
///
/// # Errors
/// When the phone cannot do it, or a sync gets no answer though it was repeated.
pub async fn play(
    phone: &mut Handset,
    line: &Line,
    names: &mut Names,
    base_ms: i64,
) -> Result<Played, Trouble> {
    let mut played = Played::default();
    match line.verb.as_str() {
        "sync" => {
            phone.cut(line.head.cut);
            played.told = Some(phone.sync(ROUNDS_MAX).await?);
        }
        "repeat" => played.told = Some(phone.repeat().await?),
        "clock" => {
            let offset = line.rest.get("offset_ms").and_then(Value::as_i64);
            phone.lie(offset.unwrap_or(0));
            if line.rest.get("forget") == Some(&Value::Bool(true)) {
                phone.forget_offset().await?;
            }
        }
        _ => {
            let action = line.action(names)?;
            let at = phone.at(base_ms + line.head.at_ms);
            played.entries = phone.act(&action, at).await?;
            if let (Some(name), Some(first)) = (&line.head.name, played.entries.first()) {
                names.insert(name.clone(), first.record.to_string().into());
            }
        }
    }
    Ok(played)
}

/// Plays a recorded day of one phone and prints what comes back; lines of others are not looked at.
///
/// # Errors
/// At the first line that cannot be played.
pub async fn run(phone: &mut Handset, file: &Path, now_ms: i64) -> Result<(), Trouble> {
    let lines = read(file).await?;
    let last = lines.iter().map(|line| line.head.at_ms).max().unwrap_or(0);
    let mut names = Names::new();
    for line in &lines {
        let played = play(phone, line, &mut names, now_ms - last).await?;
        phone.warn(&played.entries);
        for entry in &played.entries {
            out::line(&show::told(entry, false));
        }
        if let Some(told) = &played.told {
            print_told(told);
        }
    }
    Ok(())
}

/// Prints what a sync brought.
pub fn print_told(told: &Told) {
    for entry in &told.entries {
        out::line(&show::told(entry, false));
    }
    let gone = told.rows.iter().filter(|(.., gone)| *gone).count();
    out::line(&format!(
        "同步完成 synced: {} 条答复 verdicts, {} 行更新 rows in, {gone} 行移走 rows out, \
         {} 张照片 photographs",
        told.entries.len(),
        told.rows.len() - gone,
        told.photos
    ));
    if let Some(posts) = &told.posts {
        out::line("岗位有变，新记录照此归档 your posts changed; new records are filed there:");
        if posts.is_empty() {
            out::line("  （没有岗位 no post）");
        }
        posts
            .iter()
            .for_each(|post| out::line(&format!("  {post}")));
    }
    for trouble in &told.troubles {
        out::aside(&trouble.to_string());
    }
}
