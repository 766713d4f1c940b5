//! Every command of the phone, by people of one county: recorded without network, sent later.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use xiangyi_tests::program::{Hand, Serving, until};
use xiangyi_tests::scratch::Scratch;

use crate::{PASSWORD, VILLAGE, WORKER, XIANGYI, data, demo};

/// Somebody's phone, signed in and filled.
pub async fn signed_in(room: &Path, serving: &Serving, telephone: &str) -> Hand {
    let phone = XIANGYI.hand(&room.join(telephone), &serving.base);
    let told = phone.does(&["sign-in", telephone, PASSWORD]).await;
    assert!(told.contains("已登录"), "{told}");
    phone.does(&["sync"]).await;
    phone
}

/// Asserts that a text holds these pieces.
#[track_caller]
pub fn holds(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "no {piece} in:\n{text}");
    }
}

/// The lines of `show` that list entries.
pub async fn listed(phone: &Hand, what: &str) -> Vec<String> {
    let shown = phone.does(&["show", what]).await;
    let lines = shown.lines().filter(|line| line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Six records of an afternoon; gives the card's id and the link's.
async fn recorded(phone: &Hand) -> (String, String) {
    phone.records(&["check-in", "--village", VILLAGE]).await;
    let card = ["client", "--name", "彭奶奶", "--village", VILLAGE];
    let card = phone.records(&card).await;
    let photo = data("photos/terrace.webp");
    let visit = [
        "visit",
        "--client",
        &card,
        "--minutes",
        "40",
        "--service",
        "ec_visit",
    ];
    let story = ["--process", "上门看望，量了血压。", "--photo", &photo];
    phone.records(&[&visit[..], &story].concat()).await;
    let need = [
        "need",
        "--title",
        "一户需要两床厚被",
        "--category",
        "bedding",
        "--quantity",
        "2",
    ];
    let need = phone.records(&need).await;
    let quilts = [
        "resource",
        "--title",
        "棉被",
        "--kind",
        "goods",
        "--provider",
        "商会",
    ];
    let quilts = phone
        .records(&[&quilts[..], &["--quantity", "5"]].concat())
        .await;
    let link = phone
        .records(&["link", &need, &quilts, "--quantity", "2"])
        .await;
    (card, link)
}

#[tokio::test]
async fn a_day_without_network_is_sent_in_the_evening() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    serving.kill().await;

    let (card, link) = recorded(&phone).await;
    let said = phone.run(&["sync"]).await;
    holds(said.bad(), &["连不上服务器", "记录都在手机上"]);
    assert_eq!(listed(&phone, "outbox").await.len(), 6, "nothing is lost");

    let serving = demo(scratch.path(), &[]).await;
    let phone = phone.at(&serving.base);
    let told = phone.does(&["sync"]).await;
    holds(&told, &["6 条答复", "1 张照片"]);
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
    phone.records(&["deliver", &link]).await;
    holds(&phone.does(&["sync"]).await, &["状态 state: delivered"]);
    phone.records(&["confirm", &link]).await;
    let substitute = [
        "substitute",
        &card,
        "p-worker-02",
        "--days",
        "7",
        "--reason",
        "培训",
    ];
    phone.records(&substitute).await;
    let told = phone.does(&["sync"]).await;
    holds(&told, &["2 条答复", "已收下"]);
    let shown = phone.does(&["show"]).await;
    holds(&shown, &["9  已收下", "0  待上传"]);
}

#[tokio::test]
async fn whoever_was_ordered_may_say_so_past_the_office() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let reviewer = signed_in(scratch.path(), &serving, "13800000202").await;
    let meeting = ["visit", "--no-client", "会议", "--minutes", "90"];
    let ordered = ["--category", "meeting_service", "--office", "党政综合办"];
    let record = phone.records(&[&meeting[..], &ordered[..]].concat()).await;
    let told = phone.does(&["sync"]).await;
    holds(&told, &["没有收下", "order-report --office '党政综合办'"]);
    let report = "order-report --office 党政综合办 --what meeting_service --how telephone --text \
                  主任要我去开会 --record";
    let report: Vec<&str> = report.split(' ').filter(|word| !word.is_empty()).collect();
    let report = phone.records(&[&report[..], &[&record]].concat()).await;
    let told = phone.does(&["sync"]).await;
    holds(&told, &["受命报告/order_report", "已收下"]);
    reviewer.does(&["sync"]).await;
    holds(&reviewer.does(&["show", "rows"]).await, &[&report]);
}

#[tokio::test]
async fn refused_work_is_split_or_appealed() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let reviewer = signed_in(scratch.path(), &serving, "13800000202").await;
    let meeting = [
        "visit",
        "--no-client",
        "会议",
        "--category",
        "meeting_service",
    ];
    let meeting = [&meeting[..], &["--office", "党政综合办", "--minutes"]].concat();
    let first = phone.records(&[&meeting[..], &["90"]].concat()).await;
    let told = phone.does(&["sync"]).await;
    holds(&told, &["没有收下", "NL-B", "拒收编号", "work_time"]);
    let refused = listed(&phone, "refused").await;
    assert!(
        refused.len() == 1 && refused[0].contains(&first),
        "{refused:?}"
    );
    phone.records(&["split", &first, "--minutes", "90"]).await;
    holds(&phone.does(&["sync"]).await, &["工时/work_time", "已收下"]);
    holds(
        &phone.does(&["show", "refused"]).await,
        &["已处理 dealt with"],
    );
    holds(
        &phone.does(&["show"]).await,
        &["1  没有收下 not accepted，其中 1 条已处理"],
    );

    let second = phone.records(&[&meeting[..], &["20"]].concat()).await;
    phone.does(&["sync"]).await;
    phone
        .records(&["appeal", &second, "--reason", "是陪老人办事"])
        .await;
    holds(&phone.does(&["sync"]).await, &["待定"]);
    assert_eq!(listed(&phone, "held").await.len(), 1);
    reviewer.does(&["sync"]).await;
    let review = [
        "review",
        &second,
        "--decision",
        "changed",
        "--reason",
        "查了登记",
    ];
    reviewer.records(&review).await;
    holds(&reviewer.does(&["sync"]).await, &["已收下"]);
    phone.does(&["sync"]).await;
    assert_eq!(
        listed(&phone, "held").await,
        Vec::<String>::new(),
        "it is decided"
    );
}

#[tokio::test]
async fn a_place_is_left_offered_accepted_and_declined() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let leader = signed_in(scratch.path(), &serving, "13800000401").await;
    let activity = ["activity", "--title", "重阳陪伴", "--type", "elder_company"];
    let size = ["--starts-in-hours", "96", "--capacity", "1"];
    let activity = leader.records(&[&activity[..], &size].concat()).await;
    leader.does(&["sync"]).await;
    let mut places = Vec::new();
    for telephone in ["13800000301", "13800000302", "13800000303"] {
        let phone = signed_in(scratch.path(), &serving, telephone).await;
        let place = phone.records(&["sign-up", &activity]).await;
        let told = phone.does(&["sync"]).await;
        let state = ["confirmed", "waiting #1", "waiting #2"][places.len()];
        holds(&told, &[&format!("状态 state: {state}")]);
        places.push((phone, place));
    }
    let [(one, first), (two, second), (three, third)] = &places[..] else {
        panic!("three people");
    };
    let said = two.run(&["accept", second]).await;
    holds(said.bad(), &["现在没有给您的名额"]);
    one.records(&["leave", first, "--reason", "家里有事"]).await;
    one.does(&["sync"]).await;
    two.does(&["sync"]).await;
    two.records(&["accept", second]).await;
    holds(&two.does(&["sync"]).await, &["状态 state: confirmed"]);
    two.records(&["leave", second, "--reason", "感冒了"]).await;
    two.does(&["sync"]).await;
    three.does(&["sync"]).await;
    three.records(&["decline", third]).await;
    holds(&three.does(&["sync"]).await, &["已收下", "状态 state: "]);
}

/// A proxy without its server: every request gets a 503 with its words, then a 502 without any.
struct BusyProxy {
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl BusyProxy {
    async fn close(self) {
        self.task.abort();
        // A task that was told to stop ends with that as its answer.
        let _ = self.task.await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a proxy of the test, ended with it"
)]
async fn busy_proxy(listen: &str) -> BusyProxy {
    let listener = TcpListener::bind(listen).await.expect("the port is free");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let busy = serde_json::json!({ "type": "urn:xiangyi:problem:busy", "title": "busy",
        "status": 503, "code": "busy", "detail": "服务器正忙", "detail_en": "Busy.",
        "request": "proxy" });
    let busy = busy.to_string();
    let task = tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let mut ask = [0; 4096];
            let read = line.read(&mut ask).await;
            let (status, body) = match count.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => ("503 Service Unavailable", busy.clone()),
                _ => ("502 Bad Gateway", "<html>".to_owned()),
            };
            let length = body.len();
            let head = format!("content-length: {length}\r\nconnection: close");
            let answer = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}");
            if read.is_ok() && line.write_all(answer.as_bytes()).await.is_ok() {
                // Whoever hung up meanwhile asks again.
                let _ = line.shutdown().await;
            }
        }
    });
    BusyProxy { asked, task }
}

#[tokio::test]
async fn a_watching_phone_hears_of_others_and_outlives_the_server() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let colleague = signed_in(scratch.path(), &serving, "13800000002").await;
    let heard = scratch.path().join("heard");
    let mut watch = phone.command(&["watch"]);
    let file = |name: &Path| fs::File::create(name).expect("the folder can be written");
    watch
        .stdout(file(&heard))
        .stderr(file(&scratch.path().join("complained")));
    let mut watch = watch.spawn().expect("it starts");
    let hears = |piece: String| {
        let heard = heard.clone();
        async move {
            let read = || fs::read_to_string(&heard).unwrap_or_default();
            let what = format!("{piece} is heard");
            until(&what, || read().contains(&piece).then_some(())).await;
        }
    };
    hears("守候中".to_owned()).await;
    let visit = ["visit", "--no-client", "走访", "--minutes", "30"];
    let visit = colleague.records(&visit).await;
    colleague.does(&["sync"]).await;
    hears(format!("+ 走访 visit {visit}")).await;

    // Who watches does not keep another window from recording, and sends what it recorded.
    let own = phone.records(&["check-in", "--village", VILLAGE]).await;
    let listen = serving
        .base
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    serving.kill().await;
    let complained = scratch.path().join("complained");
    let read = || fs::read_to_string(&complained).unwrap_or_default();
    until("it says so", || read().contains("连不上").then_some(())).await;
    // The proxy before a server that is away answers for it.
    let proxy = busy_proxy(&listen).await;
    until("the proxy was asked", || {
        (proxy.asked.load(Ordering::Relaxed) > 3).then_some(())
    })
    .await;
    proxy.close().await;
    let _serving = demo(scratch.path(), &["--listen", &listen]).await;
    hears("又连上了".to_owned()).await;
    hears(format!("check_in  {own}  已收下")).await;
    assert!(
        watch.try_wait().expect("it is ours").is_none(),
        "it goes on"
    );
}

#[tokio::test]
async fn a_recorded_file_is_played() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let file = scratch.path().join("day.jsonl");
    let file_name = file.display().to_string();
    let lines = [
        format!("{{\"at_ms\": 0, \"do\": \"check-in\", \"village\": \"{VILLAGE}\"}}"),
        "{\"at_ms\": 1000, \"do\": \"sync\", \"cut\": \"after_send\"}".to_owned(),
        "{\"at_ms\": 2000, \"do\": \"repeat\"}".to_owned(),
    ];
    fs::write(&file, lines.join("\n")).expect("written");
    let told = phone.does(&["replay", &file_name]).await;
    holds(&told, &["重复发送，答复同前", "1 条答复"]);
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
    fs::write(&file, format!("{}\n{{\"do\": \"fly\"}}", lines[0])).expect("written");
    let said = phone.run(&["replay", &file_name]).await;
    holds(said.bad(), &["第 2 行读不懂", "Line 2"]);
}

#[tokio::test]
async fn what_the_phone_shows_can_be_read() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let story = "上门看望，量了血压，聊了家常，约好下周三再来。".repeat(8);
    let visit = [
        "visit",
        "--no-client",
        "集中走访",
        "--minutes",
        "30",
        "--process",
        &story,
    ];
    let visit = phone
        .records(&[&visit[..], &["--service", "ec_visit"]].concat())
        .await;
    phone.does(&["sync"]).await;
    let shown = phone.does(&["show", "rows"]).await;
    holds(
        &shown,
        &[
            "规则包 rule_pack 43",
            "version 1",
            &visit,
            "走访 visit",
            "上门看望",
        ],
    );
    let long = shown.lines().find(|line| line.chars().count() > 160);
    assert_eq!(long, None, "a line is a line");
    let whole = phone.does(&["show", "rows", "--json"]).await;
    holds(&whole, &["\"closings\"", &story]);
    for line in whole.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("one object a line");
    }
    holds(
        &phone.does(&["show", "streams"]).await,
        &["person:p-worker-01"],
    );
    holds(&phone.does(&["show", "held"]).await, &["空 nothing here"]);
}

#[tokio::test]
async fn two_phones_of_one_person_correct_the_same_visit() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let one = signed_in(scratch.path(), &serving, WORKER).await;
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
        "ec_visit",
    ];
    let visit = one.records(&visit).await;
    one.does(&["sync"]).await;
    let two = XIANGYI.hand(&scratch.path().join("second"), &serving.base);
    two.does(&["sign-in", WORKER, PASSWORD]).await;
    two.does(&["sync"]).await;
    one.records(&["correct", &visit, "--result", "约好下周三"])
        .await;
    two.records(&["correct", &visit, "--result", "约好下周五"])
        .await;
    two.records(&[
        "correct",
        &visit,
        "--process",
        "量了血压",
        "--minutes",
        "20",
    ])
    .await;
    holds(&one.does(&["sync"]).await, &["已收下"]);
    let told = two.does(&["sync"]).await;
    holds(&told, &["需要您决定", "/result: 已在别处改过", "已收下"]);
    holds(&two.does(&["show"]).await, &["1  需要您决定"]);
    two.records(&["correct", &visit, "--result", "约好下周五"])
        .await;
    holds(&two.does(&["sync"]).await, &["已收下"]);
    let number = listed(&two, "refused").await[0]
        .split_whitespace()
        .next()
        .map(str::to_owned);
    let number = number.expect("a number").replace('#', "");
    two.does(&["set-aside", &number]).await;
    holds(
        &two.does(&["show"]).await,
        &["1  需要您决定 needs you，其中 1 条已处理"],
    );
    one.does(&["sync"]).await;
    holds(
        &one.does(&["show", "rows", "--json"]).await,
        &["约好下周五", "量了血压"],
    );
    one.records(&["void", &visit, "--reason", "记重了"]).await;
    holds(&one.does(&["sync"]).await, &["已收下"]);
    let said = one.run(&["correct", &visit]).await;
    holds(said.bad(), &["--process"]);
}
