//! `xiangyi people` beside a running server, and `xiangyi pack check`.

use std::fs;

use xiangyi_proto::pack::STARTER;
use xiangyi_tests::program::Said;
use xiangyi_tests::scratch::Scratch;

use crate::{PASSWORD, STATION, VILLAGE, WORKER, XIANGYI, data, demo};

const OTHER_STATION: &str = "430121002";
const OTHER_VILLAGE: &str = "430121002001";

async fn people(folder: &str, args: &[&str]) -> Said {
    let all = ["people", args[0], "--data", folder];
    let all: Vec<&str> = all.iter().chain(&args[1..]).copied().collect();
    XIANGYI.run(&all).await
}

#[tokio::test]
async fn a_phone_follows_its_person_to_another_station() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let folder = scratch.path().join("data").display().to_string();
    let phone = XIANGYI.hand(&scratch.path().join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    phone.does(&["check-in", "--village", VILLAGE]).await;
    phone.does(&["sync"]).await;
    let streams = phone.does(&["show", "streams"]).await;
    assert!(streams.contains(&format!("station:{STATION}")), "{streams}");

    people(&folder, &["revoke", WORKER, "worker", STATION])
        .await
        .good();
    people(&folder, &["grant", WORKER, "worker", OTHER_STATION])
        .await
        .good();
    let list = people(&folder, &["list", WORKER]).await;
    let list: Vec<&str> = list.good().lines().collect();
    let line = |unit: &str| list.iter().find(|line| line.contains(unit));
    assert!(
        line(OTHER_STATION).is_some_and(|line| line.ends_with("open")),
        "{list:?}"
    );
    assert!(
        line(STATION).is_some_and(|line| !line.ends_with("open")),
        "{list:?}"
    );

    let told = phone.does(&["sync"]).await;
    assert!(
        told.contains("岗位") && told.contains(OTHER_STATION),
        "it says so: {told}"
    );
    let streams = phone.does(&["show", "streams"]).await;
    assert!(
        !streams.contains(&format!("station:{STATION}")),
        "{streams}"
    );
    let id = phone
        .records(&["check-in", "--village", OTHER_VILLAGE])
        .await;
    let told = phone.does(&["sync"]).await;
    assert!(told.contains("已收下"), "filed at the new station: {told}");
    let streams = phone.does(&["show", "streams"]).await;
    assert!(
        streams.contains(&format!("station:{OTHER_STATION}")),
        "{streams}"
    );
    let worker = serving.nobody().sign_in(WORKER).await;
    let path = format!("/v1/check-ins/{id}?unit={OTHER_STATION}");
    let stored = worker.get(&path).await.good();
    assert_eq!(stored["unit"], OTHER_STATION, "{stored}");
}

#[tokio::test]
async fn a_phone_without_a_station_says_so_and_files_nothing() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let folder = scratch.path().join("data").display().to_string();
    let phone = XIANGYI.hand(&scratch.path().join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    phone.does(&["sync"]).await;
    people(&folder, &["revoke", WORKER, "worker", STATION])
        .await
        .good();
    phone.does(&["sync"]).await;
    let said = phone.run(&["check-in", "--village", VILLAGE]).await;
    assert!(said.bad().contains("岗位"), "{said:?}");
    people(&folder, &["grant", WORKER, "worker", STATION])
        .await
        .good();
    phone.does(&["sync"]).await;
    phone.does(&["check-in", "--village", VILLAGE]).await;
}

#[tokio::test]
async fn wrong_words_about_people_are_named() {
    let scratch = Scratch::new("process");
    let _serving = demo(scratch.path(), &[]).await;
    let folder = scratch.path().join("data").display().to_string();
    let nobody = "13811112222";
    for (args, why) in [
        (&["grant", WORKER, "wroker", STATION][..], "no role wroker"),
        (&["grant", WORKER, "worker", "43012"], "not a unit"),
        (
            &["grant", WORKER, "worker", "430121999"],
            "no unit 430121999",
        ),
        (
            &["grant", nobody, "worker", STATION],
            "nobody has this telephone",
        ),
        (
            &["grant", WORKER, "worker", STATION, "--from", "2026-13-01"],
            "not a day",
        ),
        (
            &[
                "grant",
                WORKER,
                "worker",
                STATION,
                "--from",
                "2026-05-02",
                "--to",
                "2026-05-01",
            ],
            "ends before it begins",
        ),
        (
            &["revoke", WORKER, "worker", OTHER_STATION],
            "no such open grant",
        ),
        (&["revoke", WORKER, "worker"], "required"),
        (&["grant", WORKER, "worker", STATION], "already"),
        (&["add", WORKER, "重复"], "already"),
        (&["add", "123", "短号"], "eleven digits"),
        (&["list", nobody], "nobody has this telephone"),
    ] {
        let said = people(&folder, args).await;
        assert!(said.bad().contains(why), "{args:?}: {said:?}");
    }
    let elsewhere = scratch.path().join("misspelt").display().to_string();
    let said = people(&elsewhere, &["list", WORKER]).await;
    assert!(said.bad().contains("--data"), "{said:?}");
    let list = people(&folder, &["list", WORKER]).await;
    assert_eq!(list.good().lines().count(), 1, "nothing was granted");
}

/// The number of the line on which a rule of the starter pack begins.
fn line_of(rule: &str) -> usize {
    let begins = format!("- id: {rule}");
    let before = STARTER.lines().take_while(|line| line.trim() != begins);
    before.count() + 1
}

#[tokio::test]
async fn a_sound_pack_is_counted() {
    let said = XIANGYI
        .run(&["pack", "check", &data("../../proto/packs/43.yaml")])
        .await;
    assert!(said.good().contains("pack 43 version 1: sound"), "{said:?}");
}

#[tokio::test]
async fn each_fault_of_a_pack_is_told_with_its_rule_and_place() {
    let scratch = Scratch::new("process");
    let file = scratch.path().join("pack.yaml").display().to_string();
    let condition = r#"'record.work_category == "licensing"'"#;
    let table = [
        (
            "NL-A01",
            "when (column 7)",
            condition,
            r#"'record.work_categry == "x"'"#,
            "work_categry",
        ),
        (
            "NL-A01",
            "when",
            condition,
            "'record.work_category =='",
            "Syntax error",
        ),
        (
            "NL-A01",
            "when",
            condition,
            "'record.work_category'",
            "not boolean",
        ),
        (
            "NL-A01.text",
            "mentions",
            "mentions: licence",
            "mentions: license",
            "license",
        ),
    ];
    for (rule, place, from, to, why) in table {
        fs::write(&file, STARTER.replacen(from, to, 1)).expect("written");
        let said = XIANGYI.run(&["pack", "check", &file]).await;
        let at = format!("line {}: rule {rule}: {place}", line_of(rule));
        let words = said.bad();
        assert!(
            words.contains(&at) && words.contains(why),
            "{to}: {at}: {said:?}"
        );
        assert!(words.contains("is not sound"), "{said:?}");
    }
    let said = XIANGYI.run(&["pack", "check", "/nowhere/pack.yaml"]).await;
    assert!(said.bad().contains("/nowhere/pack.yaml"), "{said:?}");
    fs::write(&file, STARTER.replacen("\nrules:", "\nrules: [", 1)).expect("written");
    let said = XIANGYI.run(&["pack", "check", &file]).await;
    assert!(said.bad().contains("line "), "{said:?}");
}

#[tokio::test]
async fn the_worth_of_signals_is_told_as_a_table_and_as_json() {
    let scratch = Scratch::new("process");
    let notes = scratch.path().join("notes.jsonl").display().to_string();
    let pack = data("../../proto/packs/43.yaml");
    let lines = [
        r#"{"id":"1","text":"今天去长沙南站劝返上访户费某，守了四个小时，把人接回镇上了。","group":"petition_land","hit":true}"#,
        r#"{"id":"2","text":"今天陪老人去镇上赶集，买了两斤盐。","group":"petition_land","hit":false}"#,
        r#"{"id":"3","text":"今天陪老人去镇上赶集，买了两斤盐。","group":"petition_land","hit":true}"#,
        r#"{"id":"4","text":"上午到彭奶奶家，量了血压，聊了家常，约好下周再去。"}"#,
        r#"{"id":"5","text":"今天去长沙南站劝返上访户费某，守了四个小时，把人接回镇上了。"}"#,
        r#"{"id":"6","text":"孩子身上有伤，讲是被后妈用皮带抽的。"}"#,
    ];
    fs::write(&notes, lines.join("\n")).expect("written");
    let said = XIANGYI
        .run(&["pack", "score", &pack, &notes, "--json"])
        .await;
    let score: serde_json::Value = serde_json::from_str(said.good()).expect("one object");
    let rates = |of: &serde_json::Value| {
        ["precision", "recall", "f1"].map(|name| of[name].as_f64().expect(name))
    };
    assert_eq!(rates(&score["pooled"]), [1.0, 0.5, 2.0 / 3.0]);
    assert_eq!(score["groups"][0]["group"], "petition_land");
    assert_eq!(rates(&score["groups"][0]), [1.0, 0.5, 2.0 / 3.0]);
    assert_eq!(score["groups"][0]["n"], 3);
    assert_eq!(
        (&score["false_alarms"], &score["warned"]),
        (&1.into(), &1.into())
    );
    let said = XIANGYI.run(&["pack", "score", &pack, &notes]).await;
    assert!(said.good().contains("petition_land"), "{said:?}");
    fs::write(&notes, "{\"text\": 1}").expect("written");
    let said = XIANGYI.run(&["pack", "score", &pack, &notes]).await;
    assert!(said.bad().contains("notes.jsonl:1"), "{said:?}");
}

#[tokio::test]
async fn a_decision_is_traced_to_words_and_conditions() {
    let scratch = Scratch::new("process");
    let record = scratch.path().join("record.json").display().to_string();
    let pack = data("../../proto/packs/43.yaml");
    let body = r#"{"kind": "visit", "unit": "430121102", "body": {"work_category": "licensing",
        "process": "今天去长沙南站劝返上访户费某，守了四个小时，把人接回镇上了。",
        "outcome": {"kind": "served"}, "started_at": 1792458000000, "ended_at": 1792460400000}}"#;
    fs::write(&record, body).expect("written");
    let said = XIANGYI.run(&["pack", "explain", &pack, &record]).await;
    let words = said.good();
    for part in [
        "verdict: reject",
        "NL-A01 [reject]",
        r#"condition: record.work_category == "licensing""#,
        "NL-B04.text [warn]",
        "signal petition_land in /process",
        "(+",
        "NL-C04.overlap",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let said = XIANGYI
        .run(&["pack", "explain", &pack, &record, "--json"])
        .await;
    let explained: serde_json::Value = serde_json::from_str(said.good()).expect("one object");
    assert_eq!(explained["verdict"], "reject");
    fs::write(&record, r#"{"kind": "vist", "body": {}}"#).expect("written");
    let said = XIANGYI.run(&["pack", "explain", &pack, &record]).await;
    assert!(said.bad().contains("vist"), "{said:?}");
}

const COUNTY: &str = "pack: \"430121\"\nversion: 1\neffective: {from: 2026-01-01, to: null}\n\
    rules:\n- id: 430121-1\n  title: {zh: 题, en: t}\n  clause: 条\n  basis: {plan: 三}\n  \
    kinds: [need]\n  when: 'true'\n  verdict: hold\n  message: {zh: 话, en: words}\n";

#[tokio::test]
async fn two_named_persons_put_a_pack_in_force_beside_a_running_server() {
    const OFFICER: &str = "13800000201";
    const REVIEWER: &str = "13800000202";
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let folder = scratch.path().join("data").display().to_string();
    let file = scratch.path().join("county.yaml").display().to_string();
    fs::write(&file, COUNTY.replace("430121-1", "NL-A03")).expect("written");
    let pack = async |args: &[&str]| {
        let all = ["pack", args[0], "--data", folder.as_str()];
        let all: Vec<&str> = all.iter().chain(&args[1..]).copied().collect();
        XIANGYI.run(&all).await
    };
    let said = pack(&["propose", &file, "--by", OFFICER]).await;
    assert!(said.bad().contains("rule NL-A03: id"), "{said:?}");
    fs::write(&file, COUNTY).expect("written");
    let said = pack(&["propose", &file, "--by", WORKER]).await;
    assert!(said.bad().contains("no right"), "{said:?}");
    pack(&["propose", &file, "--by", REVIEWER]).await.good();
    for (by, why) in [(REVIEWER, "another person"), (OFFICER, "no right")] {
        let said = pack(&["publish", "430121", "1", "--by", by]).await;
        assert!(said.bad().contains(why), "{said:?}");
    }
    let second = "13800000203";
    pack(&["publish", "430121", "1", "--by", second])
        .await
        .good();
    let said = pack(&["propose", &file, "--by", OFFICER]).await;
    assert!(said.bad().contains("above"), "{said:?}");
    assert_eq!(pack(&["key"]).await.good().trim().len(), 16 + 2 + 64);
    // What a stricter version would have done, and how it differs.
    let strict = scratch.path().join("strict.yaml").display().to_string();
    let text = COUNTY.replace("version: 1", "version: 2");
    fs::write(&strict, text.replace("verdict: hold", "verdict: reject")).expect("written");
    let days = ["--from", "2026-01-01", "--to", "2026-12-31"];
    let said = pack(&[&["what-if", strict.as_str()], &days[..]].concat()).await;
    assert!(said.good().contains("0 条改变 would change"), "{said:?}");
    let said = pack(&[&["what-if", strict.as_str(), "--json"], &days[..]].concat()).await;
    let report: serde_json::Value = serde_json::from_str(said.good()).expect("JSON");
    assert_eq!(report["changed"], 0, "{report}");
    let said = XIANGYI.run(&["pack", "diff", &file, &strict]).await;
    let lines: Vec<&str> = said.good().lines().collect();
    assert!(
        lines[1].starts_with("更严 tighter  rule 430121-1  verdict"),
        "{lines:?}"
    );
    // A phone gets it by sync, and believes what the server of its registration signed.
    let phone = XIANGYI.hand(&scratch.path().join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    let told = phone.does(&["sync"]).await;
    assert!(!told.contains("签名"), "{told}");
    let rows = phone.does(&["show", "rows"]).await;
    assert!(rows.contains("规则包 rule_pack 430121"), "{rows}");
}

#[tokio::test]
async fn a_forgotten_password_and_a_lost_phone_are_seen_to() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let folder = scratch.path().join("data").display().to_string();
    let phone = XIANGYI.hand(&scratch.path().join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    phone.does(&["sync"]).await;
    let said = people(&folder, &["password", WORKER]).await;
    let words: Vec<&str> = said.good().split_whitespace().collect();
    let at = words.iter().position(|word| *word == "password");
    let new = words[at.expect("it is named") + 1].trim_end_matches(';');
    let again = XIANGYI.hand(&scratch.path().join("other"), &serving.base);
    assert!(
        !again
            .run(&["sign-in", WORKER, PASSWORD])
            .await
            .bad()
            .is_empty()
    );
    again.does(&["sign-in", WORKER, new]).await;

    let device = |args: &[&str]| {
        let all = ["device", args[0], "--data", &folder];
        let all = all.iter().chain(&args[1..]);
        all.map(|arg| (*arg).to_owned()).collect::<Vec<String>>()
    };
    let list = XIANGYI.run(&device(&["list", WORKER])).await;
    let lost = list.good().split('\t').next().expect("a phone").to_owned();
    XIANGYI.run(&device(&["revoke", &lost])).await.good();
    let said = XIANGYI.run(&device(&["revoke", &lost])).await;
    assert!(said.bad().contains("no such phone"), "{said:?}");
    let list = XIANGYI.run(&device(&["list", WORKER])).await;
    assert!(list.good().contains("revoked"), "{list:?}");
}
