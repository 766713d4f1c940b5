//! Another database, another store of photographs, the installed service: by configuration alone.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xiangyi_tests::actor::Actor;
use xiangyi_tests::program::{Serving, until};
use xiangyi_tests::scratch::Scratch;
use xiangyi_tests::{cluster, objects};

use crate::{PASSWORD, STATION, VILLAGE, WORKER, XIANGYI, data, demo};

const UNIT_FILE: &str = include_str!("../../../deploy/xiangyi.service");
const ANNOTATED: &str = include_str!("../../../deploy/xiangyi.toml");

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => vec![path],
    };
    entries.flat_map(below).collect()
}

/// Asks for a visit until its photographs are there.
pub async fn once_complete(worker: &Actor, visit: &str) -> Value {
    let path = format!("/v1/visits/{visit}?unit={STATION}");
    let mut last = Value::Null;
    for _ in 0..600 {
        last = worker.get(&path).await.good();
        if last["body"]["derived"]["evidence"] == "complete" {
            return last;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the photograph is missing: {last}");
}

/// A check-in and a visit with a photograph from a phone, read back from the server.
async fn a_visit_comes_back(serving: &Serving, room: &Path) {
    let phone = XIANGYI.hand(&room.join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    let check_in = phone.records(&["check-in", "--village", VILLAGE]).await;
    let photo = data("photos/terrace.webp");
    let story = ["--service", "ec_visit", "--process", "上门看望，量了血压。"];
    let mut visit = vec!["visit", "--no-client", "集中走访", "--minutes", "40"];
    visit.extend(story);
    visit.extend(["--photo", &photo]);
    let visit = phone.records(&visit).await;
    let told = phone.does(&["sync"]).await;
    assert!(
        told.contains("2 条答复") && told.contains("1 张照片"),
        "{told}"
    );

    let worker = serving.nobody().sign_in(WORKER).await;
    let path = format!("/v1/check-ins/{check_in}?unit={STATION}");
    let stored = worker.get(&path).await.good();
    assert_eq!(stored["body"]["place"]["village"], VILLAGE, "{stored}");
    let visit = once_complete(&worker, &visit).await;
    let sha = visit["body"]["photos"][0]["sha256"]
        .as_str()
        .expect("a hash");
    let path = format!("/v1/photos/{sha}?unit={STATION}&as=original");
    let shown = worker.request(reqwest::Method::GET, &path).send().await;
    let bytes = shown.expect("an answer").bytes().await.expect("a body");
    assert_eq!(bytes, fs::read(photo).expect("the file"), "the same bytes");
}

/// The settings of a server on PostgreSQL with photographs on S3, as somebody would write them.
async fn elsewhere(room: &Path) -> String {
    let database = cluster::empty_database().await;
    let s3 = objects::serve(&room.join("objects")).await.s3;
    let secret = room.join("secret");
    let told = |value: Option<String>| value.expect("the server says it");
    fs::write(&secret, format!("{}\n", told(s3.secret_access_key))).expect("written");
    let config = format!(
        "listen = \"127.0.0.1:0\"\ndata = \"{}\"\n[database]\nurl = \"{database}\"\n\
         [photos]\nstore = \"s3\"\n[photos.s3]\nendpoint = \"{}\"\nbucket = \"{}\"\n\
         access_key_id = \"{}\"\nsecret_access_key_file = \"{}\"\n",
        room.join("data").display(),
        told(s3.endpoint),
        told(s3.bucket),
        told(s3.access_key_id),
        secret.display(),
    );
    let file = room.join("xiangyi.toml");
    fs::write(&file, config).expect("written");
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_and_s3_by_configuration_alone() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let config = elsewhere(room).await;
    let bare = XIANGYI.serve(room, &["serve", "--config", &config]).await;
    let bare = bare.expect_err("there are no tables yet");
    assert!(bare.bad().contains("xiangyi migrate"), "{bare:?}");
    let migrated = XIANGYI.run(&["migrate", "--config", &config]).await;
    migrated.good();
    let serve = ["serve", "--demo", "--config", &config];
    let serving = XIANGYI.serve(room, &serve).await.expect("it starts");
    a_visit_comes_back(&serving, room).await;
    serving.stop().await;

    let here = files(&room.join("data"));
    let named = |part: &str| {
        here.iter()
            .any(|file| file.display().to_string().contains(part))
    };
    assert!(!named("sqlite"), "no database here: {here:?}");
    let there = files(&room.join("objects/photos"));
    assert!(!there.is_empty(), "photographs are there");
    let bytes = fs::read(data("photos/terrace.webp")).expect("the file");
    let same = |file: &PathBuf| fs::read(file).expect("it can be read") == bytes;
    assert!(
        there.iter().any(same) && !here.iter().any(same),
        "on S3 and not here"
    );
}

/// The value of a line `key=value` of the unit.
fn of_unit(key: &str) -> &'static str {
    let line = UNIT_FILE.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.strip_prefix('='))
        .expect("the unit says it")
}

/// The annotated configuration with the paths and the port of a test.
fn installed(room: &Path) -> String {
    let text = ANNOTATED
        .replace("/var/lib/xiangyi", &room.join("data").display().to_string())
        .replace("\"127.0.0.1:8080\"\n", "\"127.0.0.1:0\"\n");
    let file = room.join("xiangyi.toml");
    fs::write(&file, text).expect("written");
    file.display().to_string()
}

#[tokio::test]
async fn the_units_command_line_serves_with_the_annotated_settings() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let config = installed(room);
    let line = of_unit("ExecStart").replace("/etc/xiangyi/xiangyi.toml", &config);
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/xiangyi"));
    let serve: Vec<&str> = words.collect();
    let mut serving = XIANGYI.serve(room, &serve).await.expect("it starts");

    let add = [
        "people",
        "add",
        "--config",
        &config,
        "13812345678",
        "易小满",
    ];
    let added = XIANGYI.run(&add).await;
    let password = added.good().trim().rsplit(' ').next().expect("a password");
    let grant = [
        "people",
        "grant",
        "--config",
        &config,
        "13812345678",
        "worker",
        STATION,
    ];
    XIANGYI.run(&grant).await.good();
    let phone = XIANGYI.hand(&room.join("phone"), &serving.base);
    phone.does(&["sign-in", "13812345678", password]).await;
    phone.records(&["check-in", "--village", VILLAGE]).await;
    let told = phone.does(&["sync"]).await;
    assert!(told.contains("已收下"), "{told}");

    assert_eq!(of_unit("KillSignal"), "SIGTERM");
    serving.ask_to_stop().await;
    assert!(serving.ended().await.success());
    until("the folder is whole", || {
        files(&room.join("data")).first().cloned()
    })
    .await;
    let strays = files(room).into_iter().filter(|file| {
        let ours = ["data/", "phone/", "xiangyi.toml", "said", "log"];
        let rest = file
            .strip_prefix(room)
            .expect("below")
            .display()
            .to_string();
        !ours.iter().any(|own| rest.starts_with(own))
    });
    assert_eq!(strays.count(), 0, "it writes into its data folder only");
}

#[tokio::test]
async fn an_operator_is_told_numbers_on_a_listener_of_their_own() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let file = room.join("xiangyi.toml");
    fs::write(&file, "[metrics]\nlisten = \"127.0.0.1:0\"\n").expect("written");
    let config = file.display().to_string();
    let serving = demo(room, &["--config", &config]).await;
    let said = fs::read_to_string(room.join("said")).expect("it says where");
    let told = said
        .lines()
        .find_map(|line| line.strip_prefix("metrics on "));
    let told = told.expect("the address of the metrics").to_owned();
    let worker = serving.nobody().sign_in(WORKER).await;
    worker.get("/v1/me").await.good();
    serving
        .nobody()
        .get("/v1/me")
        .await
        .problem(401, "unauthorized");
    // Nothing of it on the listener of phones.
    serving
        .nobody()
        .get("/metrics")
        .await
        .problem(404, "not-found");
    let text = reqwest::get(format!("{told}/metrics"))
        .await
        .expect("an answer");
    let text = text.text().await.expect("text");
    for line in [
        "xiangyi_requests_total{route=\"/v1/me\",status=\"200\"} 1",
        "xiangyi_requests_total{route=\"/v1/me\",status=\"401\"} 1",
        "xiangyi_jobs_parked 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    for canary in [WORKER, "p-worker", STATION] {
        assert!(!text.contains(canary), "{canary} is in the metrics");
    }
}
