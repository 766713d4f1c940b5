//! Words for what a phone shows: kinds, roles, and a row in one line.

use serde_json::Value;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, UTC_PLUS_8_MS, day_text};

/// Letters of a text that a line shows.
const LETTERS_MAX: usize = 24;
/// Members that say best what a record is about, the first that is there.
const TELLING: [&str; 9] = [
    "name",
    "title",
    "process",
    "note",
    "no_client_reason",
    "purpose",
    "reason",
    "want",
    "minutes",
];

/// A kind in both languages.
pub fn kind(kind: &str) -> String {
    match zh(kind) {
        "" => kind.to_owned(),
        zh => format!("{zh} {kind}"),
    }
}

/// The same as one word, for lines that scripts take apart.
pub fn kind_word(kind: &str) -> String {
    match zh(kind) {
        "" => kind.to_owned(),
        zh => format!("{zh}/{kind}"),
    }
}

fn zh(kind: &str) -> &'static str {
    match kind {
        "check_in" => "签到",
        "visit" => "走访",
        "work_time" => "工时",
        "client" => "服务对象",
        "activity" => "活动",
        "sign_up" => "报名",
        "need" => "需求",
        "resource" => "资源",
        "link" => "链接",
        "refusal" => "拒收",
        "review" => "审核",
        "held" => "待定",
        "verdict" => "答复",
        "incident" => "危情",
        "incident_step" => "危情处置",
        "order_report" => "受命报告",
        "flag" => "提醒",
        "notice" => "通知",
        "rule_pack" => "规则包",
        "grant" => "岗位",
        _ => "",
    }
}

/// What became of a refusal; nothing while it is open.
pub fn dealt_with(state: &str) -> String {
    let words = match state {
        "" | "open" => return String::new(),
        "split" => "已拆分 split",
        "refiled" => "已改记 re-filed",
        "appealed" => "已申诉 appealed",
        "upheld" => "申诉未获支持，不能再申诉 upheld, no second appeal",
        "overturned" => "申诉成立 overturned",
        other => other,
    };
    format!("已处理 dealt with: {words}")
}

/// A role in both languages.
pub fn role(role: Role) -> String {
    let zh = match role {
        Role::Worker => "社工",
        Role::StationLead => "站长",
        Role::HubOfficer => "总站专员",
        Role::HubReviewer => "总站审核员",
        Role::Volunteer => "志愿者",
        Role::ActivityLeader => "活动负责人",
        _ => return role.name().to_owned(),
    };
    format!("{zh} {}", role.name())
}

/// What a row says; nothing when it says nothing that can be read.
pub fn body_of(row: &Row) -> Value {
    let raw = row.body.as_ref();
    let body = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    body.unwrap_or_default()
}

/// A row in one line; the whole of it is shown as JSON.
pub fn row(row: &Row) -> String {
    let body = body_of(row);
    let (name, id, rev) = (kind(&row.kind), row.id, row.rev);
    if row.kind == "rule_pack" {
        let pack = body["pack"].as_str().unwrap_or("?");
        let rules = body["document"]["rules"].as_array().map_or(0, Vec::len);
        let version = &body["version"];
        return format!("{name} {pack}  第 {version} 版 version {version}, {rules} 条 rules");
    }
    let at = moment(if row.estimated_at > 0 {
        row.estimated_at
    } else {
        row.occurred_at
    });
    format!("{name}  {id}  rev {rev}  {at}  {}", about(&body))
        .trim_end()
        .to_owned()
}

/// Day and minute of UTC+8; nothing when it is not known.
pub fn moment(at: i64) -> String {
    if at <= 0 {
        return String::new();
    }
    let of_day = (at + UTC_PLUS_8_MS).rem_euclid(DAY_MS);
    let (hour, minute) = (of_day / HOUR_MS, of_day % HOUR_MS / MINUTE_MS);
    format!("{} {hour:02}:{minute:02}", day_text(at))
}

/// What a record is about, in a few letters, and where it stands.
fn about(body: &Value) -> String {
    let telling = TELLING.iter().map(|name| &body[*name]);
    let first = telling.into_iter().find(|value| !value.is_null());
    let mut text = match first {
        Some(Value::String(text)) => short(text),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    for pointer in ["/role", "/unit", "/derived/class", "/derived/state"] {
        if let Some(word) = body.pointer(pointer).and_then(Value::as_str) {
            text.push_str("  ");
            text.push_str(word);
        }
    }
    text
}

/// The beginning of a text, as much as a line shows.
pub fn short(text: &str) -> String {
    cut(text, LETTERS_MAX)
}

/// The beginning of a text, in one line.
pub fn cut(text: &str, max: usize) -> String {
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(max).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_story_is_cut_at_a_letter() {
        assert_eq!(short("量了血压"), "量了血压");
        let long = short(&"量".repeat(90));
        assert_eq!(long.chars().count(), LETTERS_MAX + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn moments_are_those_of_the_field() {
        assert_eq!(moment(1_768_442_400_000), "2026-01-15 10:00");
        assert_eq!(moment(0), "");
    }
}
