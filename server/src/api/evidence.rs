//! `as=evidence`: a photograph with what its record says below it, for a file on paper; and the
//! check of the code on such a strip.
//!
//! For reviewers of the county with a reason, which is noted as for the original. The code is
//! made of everything on the strip, under a key of this server: paper that was altered, or a
//! record that was, no longer fits it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::ids::record_id;
use xiangyi_proto::photo::Rendition;
use xiangyi_proto::problem;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{MINUTE_MS, Millis, TimeQuality, UTC_PLUS_8_MS, day_text};

use super::photos::{Reading, Wanted, noted, small, wanted};
use super::query;
use crate::app::App;
use crate::caller::Caller;
use crate::photos::strip;
use crate::problem::ApiError;
use crate::store::{evidence, photos};

/// Letters of a check code: 50 bits, in two groups.
const CODE_LETTERS: usize = 10;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What stands on a strip.
struct Strip {
    record: Uuid,
    lines: Vec<String>,
    code: String,
}

/// The picture with its strip; 202 while the rendition below it is being made.
///
/// # Errors
/// When the caller is no reviewer of the county, or the record does not show the photograph.
pub async fn read(
    app: &App,
    caller: &Caller,
    sha256: String,
    mut asked: Reading,
) -> Result<Response, ApiError> {
    asked.form = Some(Rendition::View.name().to_owned());
    let record = asked.record.take();
    let wanted = wanted(sha256, asked)?;
    let reason = reviewed(app, caller, &wanted)?;
    let strip = strip_of(app, &wanted, record).await?;
    let Some((view, _)) = small(app, &wanted, Rendition::View).await? else {
        let wait = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return Ok((axum::http::StatusCode::ACCEPTED, wait).into_response());
    };
    let mut lines = strip.lines;
    lines.push(format!("核对码 {}", strip.code));
    let drawn = app
        .darkroom
        .develop(move || strip::draw(&view, &lines))
        .await;
    let drawn = drawn.ok().and_then(Result::ok);
    let drawn = drawn.ok_or(ApiError::new(problem::NOT_FOUND))?;
    noted(app, caller, &wanted, strip.record, &reason).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        ),
    ];
    Ok((headers, Bytes::from(drawn)).into_response())
}

/// `GET /v1/photos/{sha256}/check?unit=&record=&code=`: whether a strip says what is stored now.
///
/// # Errors
/// When the caller is no reviewer of the county, or the record does not show the photograph.
pub async fn check(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    query::Asked(mut asked): query::Asked<Reading>,
) -> Result<Json<Value>, ApiError> {
    let (record, code) = (asked.record.take(), asked.code.take());
    // Nothing of the photograph is told, so no reason is asked for.
    asked.reason = Some("check".to_owned());
    let wanted = wanted(sha256, asked)?;
    reviewed(&app, &caller, &wanted)?;
    let missing = || ApiError::new(problem::INVALID_PARAMETER).at("/code", "required");
    let code = code.ok_or_else(missing)?;
    let strip = strip_of(&app, &wanted, record).await?;
    let holds = plain(&code) == plain(&strip.code);
    Ok(Json(json!({ "record": strip.record, "holds": holds })))
}

/// The reason of a reviewer of the county; to everybody else nothing is there.
fn reviewed(app: &App, caller: &Caller, wanted: &Wanted) -> Result<String, ApiError> {
    let county = wanted.shard.to_string();
    if !caller.is_one_of(&[Role::HubReviewer], &county, app.clock.now()) {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    let required = || ApiError::new(problem::INVALID_PARAMETER).at("/reason", "required");
    wanted.reason.clone().ok_or_else(required)
}

async fn strip_of(app: &App, wanted: &Wanted, record: Option<String>) -> Result<Strip, ApiError> {
    let wrong = |code| ApiError::new(problem::INVALID_PARAMETER).at("/record", code);
    let record = record.ok_or_else(|| wrong("required"))?;
    let record = record_id(&record).ok_or_else(|| wrong("bad-id"))?;
    let mut tx = app.db.read().await?;
    let vouched = photos::vouches(&mut tx, wanted.shard, &wanted.hash, record).await?;
    let said = evidence::said(&mut tx, wanted.shard, record).await?;
    drop(tx);
    let said = said
        .filter(|_| vouched)
        .ok_or(ApiError::new(problem::NOT_FOUND))?;
    let village = said
        .village
        .as_deref()
        .and_then(|code| app.regions.name(code));
    let station = app.regions.unit_name(&said.unit);
    let time = minute_text(said.estimated_at);
    let quality = words(TimeQuality::of_number(said.quality));
    let lines = vec![
        format!("时间 {time}（{quality}）"),
        format!(
            "地点 {}　{station}",
            village.unwrap_or_else(|| "未填写".to_owned())
        ),
        format!("记录 {record} 第{}版", said.rev),
    ];
    let said = format!("{}\n{}", wanted.sha256, lines.join("\n"));
    let mac = app.sealer.index("evidence", &said);
    let code = letters(&mac);
    Ok(Strip {
        record,
        lines,
        code,
    })
}

fn letters(mac: &[u8]) -> String {
    let letter = |byte: &u8| char::from(CROCKFORD[usize::from(byte & 31)]);
    let code: String = mac.iter().take(CODE_LETTERS).map(letter).collect();
    format!(
        "{}-{}",
        &code[..CODE_LETTERS / 2],
        &code[CODE_LETTERS / 2..]
    )
}

/// A code as it is compared: people type small letters, spaces, O and I.
fn plain(code: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(letter)
        .collect()
}

fn minute_text(at: Millis) -> String {
    let minute = (at + UTC_PLUS_8_MS).div_euclid(MINUTE_MS);
    let (hour, minute) = (minute / 60 % 24, minute % 60);
    format!("{} {hour:02}:{minute:02}", day_text(at))
}

const fn words(quality: TimeQuality) -> &'static str {
    match quality {
        TimeQuality::Monotonic => "手机连续计时",
        TimeQuality::Offset => "手机时间已校正",
        TimeQuality::Claimed => "手机所报时间",
        TimeQuality::Impossible => "按收到时间",
    }
}

#[cfg(test)]
mod tests {
    use super::{letters, minute_text, plain};

    #[test]
    fn a_code_is_read_aloud_and_typed() {
        let code = letters(&[0, 1, 24, 31, 255, 18, 19, 20, 21, 22, 23]);
        assert_eq!(code, "01RZZ-JKMNP");
        assert_eq!(plain("olrzz jkmnp"), plain(&code));
        assert_ne!(plain("01RZZ-JKMNQ"), plain(&code));
    }

    #[test]
    fn minutes_are_those_of_china() {
        assert_eq!(minute_text(1_768_442_400_000), "2026-01-15 10:00");
        assert_eq!(
            minute_text(1_768_442_400_000 + 14 * 3_600_000),
            "2026-01-16 00:00"
        );
    }
}
