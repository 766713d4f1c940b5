//! Tables in: is everything checked first, written whole, once, and through the gate?

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use xiangyi_proto::time::DAY_MS;
use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::import::{self, Options, Report, What, Word};
use xiangyi_server::regions;
use xiangyi_server::store::places;
use xiangyi_tests::actor::send;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

const UNIT: &str = "430121001";

async fn import(harness: &Harness, what: What, text: &str, options: &Options) -> Report {
    let report = import::run(&harness.app, what, text.as_bytes(), options).await;
    report.expect("it is a table")
}

/// Asserts what became of the lines, in their order, and whether anything was written.
#[track_caller]
fn came(report: &Report, words: &[Word], is_written: bool) {
    let got: Vec<Word> = report.lines.iter().map(|line| line.word).collect();
    assert_eq!(got, words, "{report}");
    assert_eq!(report.is_written, is_written, "{report}");
}

fn plain() -> Options {
    Options::default()
}

fn dry() -> Options {
    Options {
        dry_run: true,
        ..plain()
    }
}

async fn visit(harness: &Harness, key: &str) -> xiangyi_tests::actor::Reply {
    let body = json!({ "unit": UNIT, "body": {
        "no_client_reason": "集中走访", "started_at": START - 3_600_000, "ended_at": START,
        "services": ["ec_visit"], "process": "陪老人说话。", "result": "情绪平稳",
        "outcome": { "kind": "served" } } });
    let worker = harness.worker(1).await;
    let request = worker.request(reqwest::Method::POST, "/v1/visits");
    send(request.header("idempotency-key", key).json(&body)).await
}

on_both!(
    a_merged_township_takes_nothing_new_and_keeps_the_old,
    |engine| {
        let harness = Harness::start(engine).await;
        let old = visit(&harness, "old").await.good();
        let other = App::open(&harness.config, Clock::fixed(START), Entropy::system()).await;
        let other = other.expect("a second node");
        let file = "代码,名称,停用日期,并入\n430121001,星沙街道,2026-01-10,430121002\n\
                430121099,示例镇,,\n430121099001,示例村,,\n";
        let report = import(&harness, What::Regions, file, &dry()).await;
        came(&report, &[Word::Changed, Word::New, Word::New], false);
        assert_eq!(harness.app.regions.name("430121099"), None);

        let report = import(&harness, What::Regions, file, &plain()).await;
        came(&report, &[Word::Changed, Word::New, Word::New], true);
        assert!(harness.app.regions.knows("430121099"));
        assert_eq!(other.regions.name("430121099"), None, "it has not looked");
        regions::look(&other).await.expect("it looks");
        assert_eq!(other.regions.name("430121099").as_deref(), Some("示例镇"));

        let refused = visit(&harness, "new").await.problem(422, "record-invalid");
        let text = refused.to_string();
        assert!(
            text.contains("unit-unknown") && text.contains("430121002"),
            "{text}"
        );
        let id = old["id"].as_str().expect("an id");
        let worker = harness.worker(1).await;
        let path = format!("/v1/visits/{id}?unit={UNIT}");
        assert_eq!(worker.get(&path).await.good()["unit"], UNIT);
        let patch = json!({ "unit": UNIT, "base": 1, "set": { "/result": "约好再来" } });
        let request = worker.request(reqwest::Method::PATCH, &format!("/v1/visits/{id}"));
        send(request.header("idempotency-key", "fix").json(&patch))
            .await
            .good();
        assert_eq!(harness.app.regions.unit_name(UNIT), "星沙街道社工站");

        let report = import(&harness, What::Regions, file, &plain()).await;
        came(&report, &[Word::Unchanged; 3], false);
    }
);

on_both!(regions_that_cannot_be_are_named, |engine| {
    let harness = Harness::start(engine).await;
    for (line, why) in [
        ("43012,x,,,", "no code"),
        ("4.30121E+11,x,,,", "rounded"),
        ("430121098,,,,", "empty"),
        ("430121098,x,430181,,", "is not above"),
        ("430121098,x,,2026-02-30,", "is not a day"),
        ("430121001,x,,,430121002", "needs the day"),
        ("430121001,x,,2026-01-10,430121", "of this level"),
        ("430121001,x,,2026-01-10,430121001", "circle"),
        ("430121098,x,,,,多", "more cells"),
        ("430121098,x\0,,,", "cannot be kept"),
        ("430121098001,x,,,", "township 430121098"),
    ] {
        let file = format!("code,name,parent,to,successor\n430121097,y,,,\n{line}\n");
        let report = import(&harness, What::Regions, &file, &plain()).await;
        came(&report, &[Word::New, Word::Refused], false);
        let told = report.to_string();
        assert!(told.contains(why), "{line}: {told}");
        assert!(
            !harness.app.regions.knows("430121097"),
            "nothing half-applied"
        );
        let skip = Options {
            skip_refused: true,
            dry_run: true,
            ..plain()
        };
        came(
            &import(&harness, What::Regions, &file, &skip).await,
            &[Word::New, Word::Refused],
            false,
        );
    }
});

on_both!(points_come_in_two_systems_and_in_no_third, |engine| {
    let harness = Harness::start(engine).await;
    let head = "单位代码,单位名称,地址,成立日期,村社区代码,纬度,经度,坐标系\n";
    let file = format!(
        "{head}430121001,星沙社工站,示例路2号,2021-07-01,430121001001,28.2251062,113.0847155,WGS-84\n\
         430121001,,,,430121001002,28.2251062,113.0847155,高德\n"
    );
    let report = import(&harness, What::Units, &file, &plain()).await;
    came(&report, &[Word::New, Word::New], true);
    assert_eq!(harness.app.regions.unit_name(UNIT), "星沙社工站");
    let mut tx = harness.app.db.read().await.expect("begin");
    let points = places::points(&mut tx).await.expect("points");
    drop(tx);
    let at = |code: &str| {
        points
            .iter()
            .find(|point| point.code == code)
            .expect("a point")
    };
    let (plain_one, shown) = (at("430121001001"), at("430121001002"));
    assert_eq!((plain_one.lat, plain_one.lng), (282_251_062, 1_130_847_155));
    let moved = (plain_one.lat - shown.lat).abs() + (plain_one.lng - shown.lng).abs();
    assert!((40_000..120_000).contains(&moved), "some 500 m: {moved}");
    came(
        &import(&harness, What::Units, &file, &plain()).await,
        &[Word::Unchanged; 2],
        false,
    );
    for (cells, why) in [
        ("430121001001,28.2,113.0,百度", "cannot be used"),
        (
            "430121001001,28.2,113.0,",
            "needs village, lat, lng and system",
        ),
        ("430121001001,113.0,28.2,WGS84", "swapped"),
        ("430121001001,1.0,113.0,WGS84", "not in China"),
        ("430121002001,28.2,113.0,WGS84", "has no village"),
        ("430121001001,北,113.0,WGS84", "no degrees"),
    ] {
        let file = format!("{head}430121001,,,,{cells}\n");
        let report = import(&harness, What::Units, &file, &plain()).await;
        came(&report, &[Word::Refused], false);
        assert!(report.to_string().contains(why), "{cells}: {report}");
    }
});

const PEOPLE: &str = "手机号;姓名;岗位;站点\n137-0000-0001;示例甲;社工;430121001\n\
                      13700000001;示例甲;站长;430121001\n13800000002;XX;worker;430121001\n";

on_both!(people_come_with_roles_and_first_passwords, |engine| {
    let harness = Harness::start(engine).await;
    let scratch = Scratch::new("passwords");
    let kept = scratch.path().join("first");
    let to_file = Options {
        passwords: Some(kept.clone()),
        ..plain()
    };
    let report = import(&harness, What::People, PEOPLE, &to_file).await;
    came(&report, &[Word::New, Word::New, Word::Refused], false);
    assert!(report.to_string().contains("another name"), "{report}");
    assert!(!kept.exists(), "nothing half-applied");
    let skip = Options {
        skip_refused: true,
        ..to_file.clone()
    };
    // In GBK, as spreadsheets write it.
    let (bytes, _, _) = encoding_rs::GBK.encode(PEOPLE);
    let unnamed = Options {
        passwords: None,
        ..skip.clone()
    };
    let why = import::run(&harness.app, What::People, &bytes, &unnamed).await;
    assert!(
        why.expect_err("no file is named")
            .to_string()
            .contains("--passwords")
    );
    let report = import::run(&harness.app, What::People, &bytes, &skip).await;
    came(
        &report.expect("read"),
        &[Word::New, Word::New, Word::Refused],
        true,
    );

    let mode = std::fs::metadata(&kept)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&kept).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "one person has one password: {text}");
    let password = lines[1].rsplit(',').next().expect("the last cell");
    let ask = json!({ "telephone": "13700000001", "password": password });
    let session = harness.nobody().post("/v1/sessions", &ask).await.good();
    let roles = session["person"]["roles"].to_string();
    assert!(
        roles.contains("worker") && roles.contains("station_lead"),
        "{session}"
    );
    assert_eq!(session["person"]["name"], "示例甲");

    let report = import(&harness, What::People, PEOPLE, &skip).await;
    came(
        &report,
        &[Word::Unchanged, Word::Unchanged, Word::Refused],
        false,
    );
    // The day it ends is changed, and an old file does not begin it again.
    let ends = "telephone,name,role,unit,to\n13700000001,示例甲,worker,430121001,2026-01-20\n";
    came(
        &import(&harness, What::People, ends, &plain()).await,
        &[Word::Changed],
        true,
    );
    came(
        &import(&harness, What::People, ends, &plain()).await,
        &[Word::Unchanged],
        false,
    );
    harness.clock.set(START + 30 * 86_400_000);
    let report = import(&harness, What::People, PEOPLE, &plain()).await;
    came(
        &report,
        &[Word::Refused, Word::Unchanged, Word::Refused],
        false,
    );
    assert!(report.to_string().contains("begins again"), "{report}");
});

const CLIENTS: &str = "社工电话,编号,姓名,性别,类别,村（社区）代码,分级\n\
                       13800000001,A-1,示例奶奶,女,独居老人、残疾人,430121001001,重点\n\
                       13800000003,A-2,示例爷爷,男,,430121002001,一般\n";

async fn clients(harness: &Harness, number: u32, unit: &str) -> Vec<Value> {
    let worker = harness.worker(number).await;
    let list = worker.get(&format!("/v1/clients?unit={unit}")).await.good();
    list["records"].as_array().expect("a list").clone()
}

on_both!(
    clients_come_in_the_workers_name_through_the_gate,
    |engine| {
        let harness = Harness::start(engine).await;
        came(
            &import(&harness, What::Clients, CLIENTS, &dry()).await,
            &[Word::New; 2],
            false,
        );
        assert!(
            clients(&harness, 1, UNIT).await.is_empty(),
            "a trial keeps nothing"
        );
        came(
            &import(&harness, What::Clients, CLIENTS, &plain()).await,
            &[Word::New; 2],
            true,
        );
        let mine = clients(&harness, 1, UNIT).await;
        assert_eq!(mine.len(), 1, "{mine:?}");
        assert_eq!(mine[0]["author"], "p-worker-01");
        assert_eq!(mine[0]["body"]["tier"], "key");
        assert_eq!(
            mine[0]["body"]["categories"],
            json!(["elder_alone", "disabled"])
        );
        assert_eq!(mine[0]["body"]["workers"][0]["person"], "p-worker-01");
        assert!(
            clients(&harness, 2, UNIT).await.is_empty(),
            "a colleague sees no card"
        );
        let cards = harness
            .lead()
            .await
            .get("/v1/clients?unit=430121001")
            .await
            .good();
        assert_eq!(
            cards["records"].as_array().map(Vec::len),
            Some(1),
            "{cards}"
        );

        came(
            &import(&harness, What::Clients, CLIENTS, &plain()).await,
            &[Word::Unchanged; 2],
            false,
        );
        let other = CLIENTS.replace("重点", "高风险");
        let words = [Word::Changed, Word::Unchanged];
        came(
            &import(&harness, What::Clients, &other, &plain()).await,
            &words,
            true,
        );
        let mine = clients(&harness, 1, UNIT).await;
        assert_eq!(
            (&mine[0]["rev"], &mine[0]["body"]["tier"]),
            (&json!(2), &json!("high_risk"))
        );
        came(
            &import(&harness, What::Clients, &other, &plain()).await,
            &[Word::Unchanged; 2],
            false,
        );
    }
);

on_both!(a_changed_card_names_its_fields_and_no_content, |engine| {
    let harness = Harness::start(engine).await;
    came(
        &import(&harness, What::Clients, CLIENTS, &plain()).await,
        &[Word::New; 2],
        true,
    );
    let other = CLIENTS.replace("示例奶奶,女", "别人,男");
    let report = import(&harness, What::Clients, &other, &dry()).await;
    came(&report, &[Word::Changed, Word::Unchanged], false);
    let told = report.to_string();
    assert!(told.contains("姓名、性别 name, sex"), "{told}");
    assert!(!told.contains("别人"), "{told}");
});

on_both!(nobody_is_born_after_today, |engine| {
    let harness = Harness::start(engine).await;
    let file = "社工电话,姓名,村代码,出生日期\n13800000001,示例,430121001001,1943-01-05\n\n\n\
                13800000001,某,430121001001,2043-01-05\n";
    let report = import(&harness, What::Clients, file, &plain()).await;
    came(&report, &[Word::New, Word::Refused], false);
    let told = report.to_string();
    assert!(told.contains("/born_on"), "{told}");
    assert!(
        told.contains("\n5\t"),
        "the line after the empty ones: {told}"
    );
});

on_both!(one_bad_client_stops_the_file, |engine| {
    let harness = Harness::start(engine).await;
    for (line, why) in [
        ("13800000001,B-2,某,,,430121002001,", "village-outside-unit"),
        ("13800000001,B 2,某,,,430121001001,", "unknown-code"),
        ("13800000201,B-2,某,,,430121001001,", "serves at no station"),
        ("13811112222,B-2,某,,,430121001001,", "import people first"),
        ("13800000001,B-1,某,,,430121001001,", "the same person"),
        ("13800000001,B-2,某,,外星人,430121001001,", "no category"),
    ] {
        let head = CLIENTS.lines().next().expect("a header");
        let file = format!("{head}\n13800000001,B-1,示例,,,430121001001,\n{line}\n");
        let report = import(&harness, What::Clients, &file, &plain()).await;
        came(&report, &[Word::New, Word::Refused], false);
        assert!(report.to_string().contains(why), "{line}: {report}");
        assert!(clients(&harness, 1, UNIT).await.is_empty(), "{line}");
    }
    let file = format!("{CLIENTS}13800000001,B-2,某,,,430121002001,\n");
    let skip = Options {
        skip_refused: true,
        ..plain()
    };
    let words = [Word::New, Word::New, Word::Refused];
    came(
        &import(&harness, What::Clients, &file, &skip).await,
        &words,
        true,
    );
    assert_eq!(clients(&harness, 1, UNIT).await.len(), 1);
    let inside = Options {
        unit: Some("430121002".to_owned()),
        ..plain()
    };
    let words = [Word::Refused, Word::Unchanged];
    let report = import(&harness, What::Clients, CLIENTS, &inside).await;
    came(&report, &words, false);
    assert!(report.to_string().contains("lies outside"), "{report}");
});

on_both!(an_agency_has_its_stations_and_its_manager, |engine| {
    let harness = Harness::start(engine).await;
    let file = "licence,name,from,to,stations,manager\n\
                52430121MJJ000001X,示例中心,2026-01-01,2026-12-31,430121003、430121004,13800000005\n";
    came(
        &import(&harness, What::Agencies, file, &plain()).await,
        &[Word::New],
        true,
    );
    came(
        &import(&harness, What::Agencies, file, &plain()).await,
        &[Word::Unchanged],
        false,
    );
    let me = harness.worker(5).await.get("/v1/me").await.good();
    let grants = me["grants"].as_array().expect("grants");
    let managed = grants
        .iter()
        .filter(|grant| grant["role"] == "agency_manager");
    assert_eq!(managed.count(), 2, "{me}");
    let bad = file.replace("52430121MJJ000001X", "524301");
    let report = import(&harness, What::Agencies, &bad, &plain()).await;
    came(&report, &[Word::Refused], false);
    // It ends early; the old file does not begin it again, and a renewed one is a new one.
    let shorter = file.replace("2026-12-31", "2026-01-31");
    let report = import(&harness, What::Agencies, &shorter, &plain()).await;
    came(&report, &[Word::Changed], true);
    harness.clock.advance(30 * DAY_MS);
    let report = import(&harness, What::Agencies, file, &plain()).await;
    came(&report, &[Word::Refused], false);
    let renewed = file.replace("2026-01-01", "2026-03-01");
    let report = import(&harness, What::Agencies, &renewed, &plain()).await;
    came(&report, &[Word::Changed], true);
});
