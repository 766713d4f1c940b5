//! The strip of evidence: for reviewers, noted, with a code that fits what is stored.

use serde_json::{Value, json};
use sqlx::query_scalar;
use xiangyi_server::on;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, VISIT, hash, once_made, visit};

fn strip(more: &str) -> String {
    format!(
        "/v1/photos/{}?as=evidence&unit={UNIT}{more}",
        hash(ROADSIDE)
    )
}

async fn photographed(harness: &Harness) -> Actor {
    let worker = harness.worker(1).await;
    let verdict = visit(&worker, &hash(ROADSIDE), ROADSIDE.len()).await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    assert_eq!(
        worker.upload(ROADSIDE, "image/jpeg", UNIT).await.status,
        204
    );
    worker
}

async fn reasons(harness: &Harness) -> Vec<String> {
    let mut tx = harness.app.db.read().await.expect("begin");
    on!(&mut tx, |c| query_scalar("SELECT reason FROM read_log")
        .fetch_all(c)
        .await)
    .expect("read")
}

async fn holds(actor: &Actor, code: &str) -> Value {
    let path = format!(
        "/v1/photos/{}/check?unit={UNIT}&record={VISIT}&code={code}",
        hash(ROADSIDE)
    );
    actor.get(&path).await.good()["holds"].clone()
}

on_both!(a_strip_is_drawn_for_reviewers_and_noted, |engine| {
    let harness = Harness::start(engine).await;
    let worker = photographed(&harness).await;
    let reviewer = harness.reviewer(1).await;
    for (more, pointer, code) in [
        (format!("&record={VISIT}"), "/reason", "required"),
        ("&reason=存档".to_owned(), "/record", "required"),
        ("&reason=存档&record=x".to_owned(), "/record", "bad-id"),
    ] {
        let fault = reviewer
            .get(&strip(&more))
            .await
            .problem(400, "invalid-parameter");
        let error = &fault["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    let whole = strip(&format!("&record={VISIT}&reason=存档"));
    for other in [
        &worker,
        &harness.worker(2).await,
        &harness.hub().await,
        &harness.lead().await,
    ] {
        other.get(&whole).await.problem(404, "not-found");
    }
    let other = VISIT.replace("e1", "e2");
    let none = strip(&format!("&record={other}&reason=存档"));
    reviewer.get(&none).await.problem(404, "not-found");
    assert!(
        reasons(&harness).await.is_empty(),
        "nothing was read so far"
    );

    let made = once_made(&reviewer, &whole).await;
    assert_eq!(
        (made.status().as_u16(), &made.headers()["content-type"]),
        (200, &"image/jpeg".parse().expect("a header"))
    );
    let bytes = made.bytes().await.expect("bytes");
    let sheet = image::load_from_memory(&bytes)
        .expect("a picture")
        .into_rgb8();
    assert_eq!(sheet.width(), 1_200);
    assert!(sheet.height() > 1_650, "a strip below: {}", sheet.height());
    let dark = sheet
        .enumerate_pixels()
        .filter(|(_, y, pixel)| *y >= 1_600 && pixel.0[0] < 100);
    assert!(dark.count() > 2_000, "letters can be read");
    assert_eq!(reasons(&harness).await, ["存档"]);
});

on_both!(a_code_fits_what_is_stored_and_nothing_else, |engine| {
    let harness = Harness::start(engine).await;
    let worker = photographed(&harness).await;
    let reviewer = harness.reviewer(1).await;
    assert_eq!(holds(&reviewer, "01RZZ-JKMNP").await, false);
    let code = code(&harness);
    assert_eq!(holds(&reviewer, &code).await, true);
    assert_eq!(
        holds(&reviewer, &code.replace('-', "").to_lowercase()).await,
        true
    );
    let path = format!(
        "/v1/photos/{}/check?unit={UNIT}&record={VISIT}&code={code}",
        hash(ROADSIDE)
    );
    for other in [&worker, &harness.hub().await] {
        other.get(&path).await.problem(404, "not-found");
    }
    // The record says something else now.
    let phone = worker.phone().await;
    let set = json!({ "n": 1, "op": "patch", "kind": "visit", "unit": UNIT, "id": VISIT,
                      "base": 2, "set": { "/result": "血压偏高" }, "reason": "补充" });
    let verdict = phone.push_one(set).await;
    assert_eq!(verdict["verdict"], "accepted", "{verdict}");
    assert_eq!(holds(&reviewer, &code).await, false);
});

/// The code as anybody with the server's keys would work it out, from what the protocol says.
fn code(harness: &Harness) -> String {
    let at = START - 3_600_000;
    let minute = (at / 60_000 + 480) % 1_440;
    let said = format!(
        "{}\n时间 2026-01-15 {:02}:{:02}（手机所报时间）\n地点 未填写　{}\n记录 {VISIT} 第2版",
        hash(ROADSIDE),
        minute / 60,
        minute % 60,
        harness.app.regions.unit_name(UNIT),
    );
    let mac = harness.app.sealer.index("evidence", &said);
    let letters = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let code: String = mac
        .iter()
        .take(10)
        .map(|b| char::from(letters[usize::from(b & 31)]))
        .collect();
    format!("{}-{}", &code[..5], &code[5..])
}
