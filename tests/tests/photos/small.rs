//! A photograph in one form, as a mini-program sends it.

use reqwest::StatusCode;
use xiangyi_tests::actor::{Actor, Reply};
use xiangyi_tests::harness::Harness;
use xiangyi_tests::on_both;

use super::{ROADSIDE, UNIT, VISIT, hash, visit};

const EDGE: &str = "----xiangyi7731";

fn form(words: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in words {
        let part = format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"tmp_1.jpg\"\r\n\
         content-type: image/jpeg\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
    body
}

async fn post(actor: &Actor, body: Vec<u8>) -> Reply {
    let kind = format!("multipart/form-data; boundary={EDGE}");
    let path = "/v1/photos/small";
    actor.post_raw(path, &[("content-type", &kind)], body).await
}

async fn whole_way(harness: &Harness) {
    let worker = harness.worker(1).await;
    let sha = hash(ROADSIDE);
    let verdict = visit(&worker, &sha, ROADSIDE.len()).await;
    assert_eq!(verdict["derived"]["evidence"], "pending", "{verdict}");
    let words = [
        ("sha256", sha.as_str()),
        ("unit", UNIT),
        ("record", VISIT),
        ("name", "x"),
    ];
    // The same form again, as after a lost answer.
    for _ in 0..2 {
        let sent = post(&worker, form(&words, ROADSIDE)).await;
        assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.text);
        assert_eq!(sent.good()["sha256"], sha);
    }
    let stored = worker
        .get(&format!("/v1/visits/{VISIT}?unit={UNIT}"))
        .await
        .good();
    assert_eq!(
        stored["body"]["derived"]["evidence"], "complete",
        "{stored}"
    );
    assert_eq!(stored["rev"], 2, "rewritten once");
    let original = format!("/v1/photos/{sha}?as=original&unit={UNIT}");
    let read = worker.request(reqwest::Method::GET, &original).send().await;
    let read = read.expect("answered").bytes().await.expect("bytes");
    assert_eq!(read, ROADSIDE);
    let colleague = harness.worker(2).await;
    colleague.get(&original).await.problem(404, "not-found");
}

on_both!(a_photograph_comes_in_one_form, |engine| {
    whole_way(&Harness::start(engine).await).await;
});

on_both!(a_form_ends_on_an_s3_server_too, |engine| {
    whole_way(&Harness::with_s3(engine).await).await;
});

on_both!(each_fault_of_a_form_is_named, |engine| {
    let harness = Harness::start(engine).await;
    let worker = harness.worker(1).await;
    let sha = hash(ROADSIDE);
    let base = [("sha256", sha.as_str()), ("unit", UNIT)];
    for (words, file, pointer, code) in [
        (&base[1..], ROADSIDE, "/sha256", "required"),
        (&base[..1], ROADSIDE, "/unit", "required"),
        (&base[..], b"".as_slice(), "/file", "required"),
        (
            &[base[0], ("unit", "x")][..],
            ROADSIDE,
            "/unit",
            "bad-region",
        ),
        (
            &[base[0], base[1], ("record", "x")][..],
            ROADSIDE,
            "/record",
            "bad-id",
        ),
    ] {
        let body = post(&worker, form(words, file))
            .await
            .problem(400, "invalid-parameter");
        let error = &body["errors"][0];
        assert_eq!(
            (error["pointer"].as_str(), error["code"].as_str()),
            (Some(pointer), Some(code))
        );
    }
    let text: &[u8] = include_bytes!("../../data/photos/not-a-photo.jpg");
    let text_sha = hash(text);
    let no_photo = [("sha256", text_sha.as_str()), ("unit", UNIT)];
    post(&worker, form(&no_photo, text))
        .await
        .problem(415, "photo-type");
    post(&worker, form(&no_photo, ROADSIDE))
        .await
        .problem(460, "photo-hash-mismatch");
    let large = vec![0_u8; 1_024 * 1_024 + 1];
    post(&worker, form(&base, &large))
        .await
        .problem(413, "photo-too-large");
    let larger = vec![0_u8; 2 * 1_024 * 1_024];
    post(&worker, form(&base, &larger))
        .await
        .problem(413, "photo-too-large");
    let broken = form(&base, ROADSIDE);
    post(&worker, broken[..broken.len() / 2].to_vec())
        .await
        .problem(400, "invalid-parameter");
    worker
        .post_raw(
            "/v1/photos/small",
            &[("content-type", "image/jpeg")],
            ROADSIDE,
        )
        .await
        .problem(415, "unsupported-media-type");
    post(&harness.stranger().await, form(&base, ROADSIDE))
        .await
        .problem(403, "forbidden");
    let honest = post(&worker, form(&base, ROADSIDE)).await;
    assert_eq!(honest.status, StatusCode::CREATED, "{}", honest.text);
});
