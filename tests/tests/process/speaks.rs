//! What the phone says by itself: danger without network, texts that do not fit, places that are
//! offered, work that waits for a reviewer.

use std::fs;

use xiangyi_tests::program::said;
use xiangyi_tests::scratch::Scratch;

use crate::phone::{holds, listed, signed_in};
use crate::{VILLAGE, WORKER, XIANGYI, demo};

#[tokio::test]
async fn records_that_are_packed_too_tightly_arrive() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let story = "长".repeat(1_800);
    let line = |index: i64| {
        let at_ms = index * 1_800_000;
        format!(
            "{{\"at_ms\": {at_ms}, \"do\": \"visit\", \"no_client\": \"会议\", \"minutes\": 1, \
             \"process\": \"{story}\"}}"
        )
    };
    let lines: Vec<String> = (0..40).map(line).collect();
    let file = scratch.path().join("tight.jsonl");
    fs::write(&file, lines.join("\n")).expect("written");
    phone.does(&["replay", &file.display().to_string()]).await;
    holds(&phone.does(&["sync"]).await, &["40 条答复"]);
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_text_that_does_not_fit_is_not_written_down() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let photo = crate::data("photos/terrace.webp");
    let story = "长".repeat(22_000);
    let visit = ["visit", "--no-client", "会议", "--minutes", "1"];
    let long = [&visit[..], &["--process", &story, "--photo", &photo]].concat();
    let told = phone.run(&long).await;
    holds(
        told.bad(),
        &["“过程”太长", "22000 字", "没有记下", "process is too long"],
    );
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
    let photos = fs::read_dir(phone.home().join("photos")).expect("a folder");
    assert_eq!(photos.count(), 0, "no photograph was copied");
    let id = phone.records(&visit).await;
    let told = phone.run(&["correct", &id, "--result", &story]).await;
    holds(told.bad(), &["“结果”太长"]);
    let told = phone.run(&["void", &id, "--reason", &story]).await;
    holds(told.bad(), &["“原因”太长", "最多 500 字"]);
}

#[tokio::test]
async fn danger_is_said_at_once_and_without_network() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    serving.kill().await;
    let story = "孩子身上有伤，说爸爸喝酒就打";
    let visit = ["visit", "--no-client", "走访", "--minutes", "30"];
    let told = phone
        .run(&[&visit[..], &["--process", story]].concat())
        .await;
    assert_eq!(
        told.good().lines().count(),
        1,
        "scripts read the first line"
    );
    let (own, sentence) = ("请先保证孩子安全", "系统没有报警，请立即拨打110");
    let unsent = "这一条还在手机上";
    holds(
        &told.err,
        &[own, sentence, unsent, "has not called the police"],
    );
    let id = told
        .out
        .split_whitespace()
        .nth(2)
        .expect("an id")
        .to_owned();
    let told = phone.run(&["correct", &id, "--result", story]).await;
    told.good();
    holds(&told.err, &[sentence]);
    let told = phone
        .run(&[&visit[..], &["--process", "量了血压"]].concat())
        .await;
    told.good();
    assert_eq!(told.err, "", "nothing to be said");
    assert_eq!(listed(&phone, "outbox").await.len(), 3, "the records stay");
}

#[tokio::test]
async fn danger_is_said_before_the_first_sync() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = XIANGYI.hand(&scratch.path().join("new"), &serving.base);
    phone.does(&["sign-in", WORKER, crate::PASSWORD]).await;
    let visit = ["visit", "--no-client", "走访", "--minutes", "30"];
    let told = phone
        .run(&[&visit[..], &["--process", "孩子身上有伤"]].concat())
        .await;
    holds(&told.err, &["系统没有报警，请立即拨打110"]);
}

#[tokio::test]
async fn a_volunteer_is_told_of_an_offer() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let leader = signed_in(scratch.path(), &serving, "13800000401").await;
    let activity = ["activity", "--title", "重阳陪伴", "--type", "elder_company"];
    let size = ["--starts-in-hours", "96", "--capacity", "1"];
    let activity = leader.records(&[&activity[..], &size].concat()).await;
    leader.does(&["sync"]).await;
    let one = signed_in(scratch.path(), &serving, "13800000301").await;
    holds(
        &one.does(&["show", "rows"]).await,
        &["空位 free 1/1", "开始 starts "],
    );
    let first = one.records(&["sign-up", &activity]).await;
    one.does(&["sync"]).await;
    let two = signed_in(scratch.path(), &serving, "13800000302").await;
    let second = two.records(&["sign-up", &activity]).await;
    holds(
        &two.does(&["sync"]).await,
        &["排队等候 waiting  重阳陪伴", "第 1 位 #1"],
    );
    holds(&two.does(&["show", "rows"]).await, &["空位 free 0/1"]);
    one.records(&["leave", &first, "--reason", "家里有事"])
        .await;
    one.does(&["sync"]).await;
    let told = two.does(&["sync"]).await;
    let (accept, decline) = (format!("accept {second}"), format!("decline {second}"));
    let pieces = [
        "有名额给您",
        "重阳陪伴",
        "开始 starts ",
        "前答复",
        &accept,
        &decline,
    ];
    holds(&told, &pieces);
    holds(&two.does(&["show"]).await, &pieces);
    let rows = two.does(&["show", "rows"]).await;
    let row = rows.lines().find(|line| line.contains(&second));
    holds(row.expect("the sign-up"), &["重阳陪伴"]);
    assert!(
        !leader.does(&["sync"]).await.contains("有名额给您"),
        "it is not the leader's"
    );
    two.records(&["accept", &second]).await;
    assert!(
        !two.does(&["sync"]).await.contains("有名额给您"),
        "it is answered"
    );
}

#[tokio::test]
async fn held_work_is_seen_where_it_is_decided() {
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
    let more = ["--office", "党政综合办", "--minutes", "20"];
    let more = [&more[..], &["--process", "陪老人去镇里办事"]].concat();
    let meeting = phone.records(&[&meeting[..], &more].concat()).await;
    phone.does(&["sync"]).await;
    phone
        .records(&["appeal", &meeting, "--reason", "是陪老人办事"])
        .await;
    phone.does(&["sync"]).await;
    reviewer.does(&["sync"]).await;
    holds(&reviewer.does(&["show"]).await, &["1  等您审核"]);
    let shown = reviewer.does(&["show", "held"]).await;
    let command = format!("review {meeting} --decision upheld|changed|list_wrong");
    holds(
        &shown,
        &[
            "p-worker-01",
            &meeting,
            "appeal",
            "陪老人去镇里办事",
            "是陪老人办事",
            &command,
        ],
    );
    let json = reviewer.does(&["show", "held", "--json"]).await;
    holds(&json, &["\"mutation\"", &meeting]);
    let decided = [
        "review",
        &meeting,
        "--decision",
        "upheld",
        "--reason",
        "查了登记",
    ];
    reviewer.records(&decided).await;
    reviewer.does(&["sync"]).await;
    holds(&reviewer.does(&["show"]).await, &["0  等您审核"]);
    holds(
        &reviewer.does(&["show", "held"]).await,
        &["空 nothing here"],
    );
    phone.does(&["sync"]).await;
    holds(&phone.does(&["show", "refused"]).await, &["申诉未获支持"]);
    let again = ["appeal", &meeting, "--reason", "还是陪老人办事"];
    phone.records(&again).await;
    holds(&phone.does(&["sync"]).await, &["appeal-once"]);
    for line in listed(&phone, "refused").await {
        let number = line.split_whitespace().next().expect("a number");
        phone.does(&["set-aside", &number.replace('#', "")]).await;
    }
    let shown = phone.does(&["show"]).await;
    holds(&shown, &["3  没有收下 not accepted，其中 3 条已处理"]);
}

#[tokio::test]
async fn a_mistake_is_set_aside() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let meeting = [
        "visit",
        "--no-client",
        "会议",
        "--category",
        "meeting_service",
    ];
    let more = ["--office", "党政综合办", "--minutes", "20"];
    let meeting = phone.records(&[&meeting[..], &more].concat()).await;
    phone.does(&["sync"]).await;
    for _ in 0..2 {
        phone.records(&["split", &meeting, "--minutes", "20"]).await;
    }
    holds(&phone.does(&["sync"]).await, &["refusal-used"]);
    let refused = listed(&phone, "refused").await;
    let last = refused
        .last()
        .and_then(|line| line.split_whitespace().next());
    let number = last.expect("the second split").replace('#', "");
    phone.does(&["set-aside", &number]).await;
    holds(
        &phone.does(&["show"]).await,
        &["2  没有收下 not accepted，其中 2 条已处理"],
    );
}

#[tokio::test]
async fn nobody_needs_to_read_to_the_end() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    phone.records(&["check-in", "--village", VILLAGE]).await;
    let mut command = phone.command(&["sync"]);
    // A pipe whose other end is closed before anything is said.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer);
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(command);
    let status = child.wait().await.expect("it ends");
    assert!(status.success(), "{status}");
    holds(&phone.does(&["show"]).await, &["1  已收下"]);
}

#[tokio::test]
async fn a_server_is_remembered_once_it_has_answered() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let bare = serving.base.replace("http://", "");
    let told = phone.at(&bare).run(&["sync"]).await;
    holds(told.bad(), &["http://", &bare]);
    // Nothing listens there.
    phone.at("http://127.0.0.1:1").run(&["sync"]).await.bad();
    let home = phone.home().display().to_string();
    let told = said(XIANGYI.command(&["phone", "--home", &home, "sync"])).await;
    holds(told.good(), &["同步完成"]);
}

#[tokio::test]
async fn a_place_asked_for_twice_is_set_aside() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let leader = signed_in(scratch.path(), &serving, "13800000401").await;
    let activity = ["activity", "--title", "重阳陪伴", "--type", "elder_company"];
    let size = ["--starts-in-hours", "96", "--capacity", "1"];
    let activity = leader.records(&[&activity[..], &size].concat()).await;
    leader.does(&["sync"]).await;
    let phone = signed_in(scratch.path(), &serving, "13800000301").await;
    for _ in 0..2 {
        phone.records(&["sign-up", &activity]).await;
    }
    holds(&phone.does(&["sync"]).await, &["already-signed-up"]);
    let refused = listed(&phone, "refused").await;
    let number = refused[0].split_whitespace().next().expect("a number");
    phone.does(&["set-aside", &number.replace('#', "")]).await;
    holds(&phone.does(&["show"]).await, &["其中 1 条已处理"]);
}
