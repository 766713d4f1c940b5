//! The recorded day against the real server; and afterwards, whether its log kept silent about it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::commands::demo;
use xiangyi_server::config::Config;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::scratch::Scratch;

use crate::{XIANGYI, data};

/// Members of a line that tell of people, places or what happened.
const TELLING: [&str; 16] = [
    "name",
    "telephone",
    "address",
    "process",
    "result",
    "note",
    "reason",
    "title",
    "summary",
    "story",
    "provider",
    "no_client",
    "follow_up",
    "office",
    "lat",
    "lng",
];

/// Everything below these members, whole and in pieces that a cut line would still hold.
fn words_of(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Object(_) | Value::Array(_) => words_of(value, words),
                    Value::String(text) if TELLING.contains(&name.as_str()) => {
                        words.extend(pieces(text));
                    }
                    Value::Number(degrees) if TELLING.contains(&name.as_str()) => {
                        words.extend(coordinate(degrees.as_f64().expect("degrees")));
                    }
                    _ => {}
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| words_of(value, words)),
        _ => {}
    }
}

/// A text by its sentences; a short one as it is.
fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(['。', '，', '、', '；', '：']);
    parts
        .filter(|part| part.chars().count() > 1)
        .map(str::to_owned)
}

/// Degrees as they were written and as they are stored.
fn coordinate(degrees: f64) -> [String; 2] {
    [degrees.to_string(), format!("{:.0}", degrees * 1e7)]
}

/// What the demo's tables and the recorded day know of people.
async fn canaries(folder: &std::path::Path) -> BTreeSet<String> {
    let config = Config {
        data: folder.to_owned(),
        ..Config::default()
    };
    let app = App::open(&config, Clock::system(), Entropy::system()).await;
    let app = app.expect("the folder is whole");
    let mut words: BTreeSet<String> = demo::people(&app)
        .into_iter()
        .flat_map(|person| [person.name, person.telephone])
        .collect();
    words.insert(demo::PASSWORD.to_owned());
    let day = fs::read_to_string(data("day.jsonl")).expect("the day");
    for line in day.lines() {
        words_of(&serde_json::from_str(line).expect("a line"), &mut words);
    }
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorded_day_adds_up_and_no_line_tells_of_it() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let folder = room.join("data");
    let config = room.join("xiangyi.toml");
    let settings = format!(
        "data = \"{}\"\n[log]\nlevel = \"debug\"\n",
        folder.display()
    );
    fs::write(&config, settings).expect("written");
    let config = config.display().to_string();
    let serve = [
        "serve",
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--config",
        &config,
    ];
    let serving = XIANGYI.serve(room, &serve).await.expect("it starts");
    let (phones, script) = (room.join("phones").display().to_string(), data("day.jsonl"));
    let day = ["demo-day", "--server", &serving.base, "--folder", &phones];
    let played = XIANGYI
        .run(&[&day[..], &["--script", &script]].concat())
        .await;
    let told = played.good();
    assert!(told.contains("手机与服务器一致"), "{told}");
    for once in ["40 人同时报名", "8 人确认 confirmed, 32 人候补 waiting"] {
        assert!(told.contains(once), "{told}");
    }
    assert!(!told.contains("有") || !told.contains("处不符"), "{told}");
    let (said, log) = (serving.said(), serving.log());
    serving.stop().await;

    let words = canaries(&folder).await;
    for known in [
        demo::CANARY_NAME,
        "13800000340",
        "黄娭毑",
        "28.260897",
        "282608970",
    ] {
        assert!(words.contains(known), "{known} is looked for");
    }
    assert!(words.len() > 300, "{} words are looked for", words.len());
    assert!(
        log.contains("DEBUG") && log.lines().count() > 100,
        "it talks: {log}"
    );
    for line in said.lines().chain(log.lines()) {
        let found = words.iter().find(|word| line.contains(word.as_str()));
        assert_eq!(found, None, "in the log: {line}");
    }
}
