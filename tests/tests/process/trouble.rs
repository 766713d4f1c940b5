//! What goes wrong around a phone: each time plain words, Chinese first, and nothing lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use xiangyi_tests::program::{Program, said};
use xiangyi_tests::scratch::Scratch;

use crate::phone::{holds, listed, signed_in};
use crate::{PASSWORD, VILLAGE, WORKER, XIANGYI, data, demo};

const COLLEAGUE: &str = "13800000002";
const NOBODY: &str = "019b7a50-0000-7000-8000-000000000001";

#[tokio::test]
async fn wrong_input_gets_plain_words() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let text = data("photos/not-a-photo.jpg");
    let visit = ["visit", "--no-client", "走访", "--minutes", "30", "--photo"];
    for (args, words) in [
        (&["visit", "--minutes", "30"][..], "--client"),
        (&["check-in", "--lat", "28.2"], "--lng"),
        (
            &["visit", "--client", "彭奶奶", "--minutes", "5"],
            "invalid value",
        ),
        (&["fly"], "unrecognized"),
        (&[&visit[..], &["/nowhere.jpg"]].concat(), "文件用不了"),
        (&[&visit[..], &[text.as_str()]].concat(), "JPEG"),
        (&["accept", NOBODY], "手机上没有这条记录"),
        (&["leave", NOBODY, "--reason", "有事"], "手机上没有这条记录"),
        (&["split", NOBODY, "--minutes", "5"], "没有这次拒收"),
        (&["appeal", NOBODY, "--reason", "不对"], "没有这次拒收"),
        (&["replay", "/nowhere.jsonl"], "文件用不了"),
        (&["sign-in", WORKER, "guess"], "密码"),
    ] {
        let said = phone.run(args).await;
        assert!(said.bad().contains(words), "{args:?}: {said:?}");
    }
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
    phone.does(&["sync"]).await;
}

#[tokio::test]
async fn a_new_phone_says_what_it_needs_first() {
    let scratch = Scratch::new("process");
    let home = scratch.path().join("new").display().to_string();
    let said = XIANGYI.run(&["phone", "--home", &home, "show"]).await;
    holds(said.bad(), &["服务器地址", "--server"]);
    let mode = fs::metadata(&home)
        .expect("it was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "tokens and stories are its owner's");
    let phone = XIANGYI.hand(&scratch.path().join("new"), "http://127.0.0.1:1");
    holds(
        phone.run(&["check-in", "--village", VILLAGE]).await.bad(),
        &["请先登录"],
    );
    holds(phone.run(&["sync"]).await.bad(), &["请先登录"]);
    holds(
        phone.run(&["sign-in", WORKER, PASSWORD]).await.bad(),
        &["连不上服务器"],
    );
    let odd = XIANGYI.hand(&scratch.path().join("odd"), "not an address");
    odd.run(&["sign-in", WORKER, PASSWORD]).await.bad();
}

#[tokio::test]
async fn a_folder_belongs_to_one_person_while_anything_waits() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    phone.records(&["check-in", "--village", VILLAGE]).await;
    let said = phone.run(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(said.bad(), &["还有别人", "--home"]);
    assert_eq!(listed(&phone, "outbox").await.len(), 1, "it is still here");

    // Its record has arrived, the photograph has not: the file is gone for now.
    let photo = scratch.path().join("view.webp");
    fs::copy(data("photos/terrace.webp"), &photo).expect("copied");
    let photo_name = photo.display().to_string();
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--photo",
        &photo_name,
    ];
    phone.records(&visit).await;
    let sha = hex::encode(Sha256::digest(fs::read(&photo).expect("read")));
    let kept = phone.home().join("photos").join(sha);
    let away = scratch.path().join("away");
    fs::rename(&kept, &away).expect("moved");
    holds(phone.run(&["sync"]).await.bad(), &["没有全部传完"]);
    assert_eq!(listed(&phone, "outbox").await, Vec::<String>::new());
    let said = phone.run(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(said.bad(), &["还有别人", "照片"]);
    fs::rename(&away, &kept).expect("moved back");
    holds(&phone.does(&["sync"]).await, &["1 张照片"]);
    phone.does(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(&phone.does(&["show"]).await, &["0  已收下"]);
}

#[tokio::test]
async fn what_was_not_understood_keeps_the_folder_too() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    phone
        .records(&["check-in", "--village", "430122001001"])
        .await;
    holds(&phone.does(&["sync"]).await, &["内容有误，留在手机上"]);
    let said = phone.run(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(said.bad(), &["还有别人", "--home"]);
    assert_eq!(listed(&phone, "refused").await.len(), 1, "it is still here");
    phone.run(&["set-aside", "7"]).await.bad();
    phone.does(&["set-aside", "1"]).await;
    holds(&phone.does(&["show", "refused"]).await, &["已收起"]);
    phone.does(&["sign-in", COLLEAGUE, PASSWORD]).await;
}

#[tokio::test]
async fn photographs_of_a_refused_record_keep_the_folder() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let photo = data("photos/terrace.webp");
    let meeting = [
        "visit",
        "--no-client",
        "会议",
        "--category",
        "meeting_service",
        "--office",
        "党政综合办",
        "--minutes",
        "90",
        "--photo",
        &photo,
    ];
    let meeting = phone.records(&meeting).await;
    holds(&phone.does(&["sync"]).await, &["没有收下"]);
    let said = phone.run(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(said.bad(), &["1 条记录、1 张照片", "set-aside"]);
    // The refusal is dealt with; the photograph is still nowhere else.
    phone.records(&["split", &meeting, "--minutes", "90"]).await;
    phone.does(&["sync"]).await;
    let said = phone.run(&["sign-in", COLLEAGUE, PASSWORD]).await;
    holds(said.bad(), &["0 条记录、1 张照片"]);
    let photos = || fs::read_dir(phone.home().join("photos")).expect("a folder");
    assert_eq!(photos().count(), 1, "it is still here");
    phone.does(&["set-aside", "1"]).await;
    phone.does(&["sign-in", COLLEAGUE, PASSWORD]).await;
    assert_eq!(photos().count(), 0);
}

#[tokio::test]
async fn a_refused_photograph_stays_in_sight_until_it_is_replaced() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let (cut, good) = (data("photos/truncated.jpg"), data("photos/terrace.webp"));
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
        "ec_visit",
    ];
    let visit = phone
        .records(&[&visit[..], &["--photo", &cut]].concat())
        .await;
    let said = phone.run(&["sync"]).await;
    holds(said.bad(), &["有照片没有收下", "show refused"]);
    for _ in 0..2 {
        holds(&phone.does(&["show"]).await, &["1  照片没有收下"]);
        let shown = phone.does(&["show", "refused"]).await;
        holds(&shown, &["照片没有收下", &visit, "打不开", "photo "]);
        phone.does(&["sync"]).await;
    }
    phone.records(&["photo", &visit, "--photo", &good]).await;
    holds(&phone.does(&["sync"]).await, &["已收下", "1 张照片"]);
    holds(&phone.does(&["show"]).await, &["0  照片没有收下"]);
    let worker = serving.nobody().sign_in(WORKER).await;
    let stored = crate::config::once_complete(&worker, &visit).await;
    assert_eq!(
        stored["body"]["photos"].as_array().map(Vec::len),
        Some(1),
        "{stored}"
    );
}

#[tokio::test]
async fn a_photograph_without_consent_stays_on_the_phone() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let good = data("photos/terrace.webp");
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
        "ec_visit",
        "--without-consent",
    ];
    let visit = phone
        .records(&[&visit[..], &["--photo", &good]].concat())
        .await;
    let said = phone.run(&["sync"]).await;
    holds(said.bad(), &["记录已收下，照片没有收", "有照片没有收下"]);
    for _ in 0..2 {
        let shown = phone.does(&["show", "refused"]).await;
        holds(&shown, &["照片没有收下", &visit, "征得同意", "photo "]);
        phone.does(&["sync"]).await;
    }
    let worker = serving.nobody().sign_in(WORKER).await;
    let stored = worker
        .get(&format!("/v1/visits/{visit}?unit=430121001"))
        .await
        .good();
    assert_eq!(stored["body"]["photos"], serde_json::Value::Null);
    assert_eq!(stored["body"]["derived"]["evidence"], "none");
    // Once they agree, it goes in like any other.
    phone.records(&["photo", &visit, "--photo", &good]).await;
    holds(&phone.does(&["sync"]).await, &["1 张照片"]);
    crate::config::once_complete(&worker, &visit).await;
}

#[tokio::test]
async fn a_refused_photograph_may_be_taken_out() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let (cut, good) = (data("photos/truncated.jpg"), data("photos/terrace.webp"));
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
        "ec_visit",
    ];
    let visit = phone
        .records(&[&visit[..], &["--photo", &cut, "--photo", &good]].concat())
        .await;
    phone.run(&["sync"]).await.bad();
    phone.records(&["photo", &visit]).await;
    holds(&phone.does(&["sync"]).await, &["已收下"]);
    holds(&phone.does(&["show"]).await, &["0  照片没有收下"]);
    let worker = serving.nobody().sign_in(WORKER).await;
    crate::config::once_complete(&worker, &visit).await;
    let said = phone.run(&["photo", &visit]).await;
    holds(said.bad(), &["没有要撤下的照片"]);
}

#[tokio::test]
async fn a_copied_folder_becomes_another_phone() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    phone.records(&["check-in", "--village", VILLAGE]).await;
    let copy = scratch.path().join("copy");
    let copied = Command::new("cp")
        .arg("-a")
        .args([phone.home(), &copy])
        .status();
    assert!(copied.await.expect("cp is there").success());
    let copy = XIANGYI.hand(&copy, &serving.base);
    copy.records(&["check-in", "--village", VILLAGE, "--phase", "out"])
        .await;
    holds(&phone.does(&["sync"]).await, &["1 条答复", "已收下"]);
    phone
        .records(&["check-in", "--village", VILLAGE, "--place", "village_room"])
        .await;
    holds(&phone.does(&["sync"]).await, &["1 条答复", "已收下"]);
    holds(&copy.does(&["sync"]).await, &["条答复", "已收下"]);
    assert_eq!(listed(&copy, "outbox").await, Vec::<String>::new());
    let worker = serving.nobody().sign_in(WORKER).await;
    let list = worker.get("/v1/check-ins?unit=430121001").await.good();
    assert_eq!(
        list["records"].as_array().map(Vec::len),
        Some(3),
        "each once: {list}"
    );
}

#[tokio::test]
async fn two_windows_of_one_phone_lose_nothing() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let windows = (0..6).map(|_| phone.records(&["check-in", "--village", VILLAGE]));
    let ids = futures::future::join_all(windows).await;
    let waiting = listed(&phone, "outbox").await;
    for id in &ids {
        assert!(
            waiting.iter().any(|line| line.contains(id)),
            "{id} is lost: {waiting:?}"
        );
    }
    holds(&phone.does(&["sync"]).await, &["6 条答复"]);
}

/// A command of the phone that can write no file beyond so many blocks of 1,024 bytes.
pub fn without_room(program: Program, blocks: usize, args: &[String]) -> Command {
    let mut command = Command::new("bash");
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    command.args(["-c", &limited, "bash", program.0]).args(args);
    command
}

fn size(file: &Path) -> usize {
    let bytes = fs::metadata(file).map_or(0, |file| file.len());
    usize::try_from(bytes / 1_024).expect("a small file")
}

#[tokio::test]
async fn a_full_phone_says_so_and_keeps_what_it_has() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let first = phone.records(&["check-in", "--village", VILLAGE]).await;
    // The journal may grow to the size the file has now, and no record of a year fits into that.
    let blocks = size(&phone.home().join("phone.sqlite")).min(64);
    let year = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
    ];
    let year = phone.args(&[&year[..], &["ec_visit"; 10_000]].concat());
    let full = said(without_room(XIANGYI, blocks, &year)).await;
    holds(full.bad(), &["存不下", "没有记下"]);

    let photo = data("photos/terrace.webp");
    let sha = hex::encode(Sha256::digest(fs::read(&photo).expect("read")));
    let kept = phone.home().join("photos").join(format!("{sha}.new"));
    symlink("/dev/full", kept).expect("linked");
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--photo",
        &photo,
    ];
    holds(phone.run(&visit).await.bad(), &["文件用不了"]);
    let waiting = listed(&phone, "outbox").await;
    assert!(
        waiting.len() == 1 && waiting[0].contains(&first),
        "{waiting:?}"
    );
    holds(&phone.does(&["sync"]).await, &["已收下"]);
}

#[tokio::test]
async fn photographs_of_refused_work_stay_on_the_phone() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let photo = data("photos/terrace.webp");
    let meeting = [
        "visit",
        "--no-client",
        "会议",
        "--minutes",
        "90",
        "--photo",
        &photo,
    ];
    let work = ["--category", "meeting_service", "--office", "党政综合办"];
    let meeting = phone.records(&[&meeting[..], &work].concat()).await;
    holds(&phone.does(&["sync"]).await, &["没有收下", "0 张照片"]);
    holds(&phone.does(&["show"]).await, &["0  照片待上传"]);
    phone
        .records(&["appeal", &meeting, "--reason", "是陪老人办事"])
        .await;
    holds(&phone.does(&["sync"]).await, &["待定", "1 张照片"]);
}

#[tokio::test]
async fn a_slow_line_keeps_nobody_from_recording() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    phone.records(&["check-in", "--village", VILLAGE]).await;
    // It accepts and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", silent.local_addr().expect("it is bound"));
    let mut slow = phone
        .at(&address)
        .command(&["sync"])
        .spawn()
        .expect("it starts");
    let (_line, _) = silent.accept().expect("it speaks");
    let id = phone
        .records(&["check-in", "--village", VILLAGE, "--phase", "out"])
        .await;
    assert!(
        slow.try_wait().expect("it is ours").is_none(),
        "the sync still waits"
    );
    slow.kill().await.expect("it is ours");
    let told = phone.does(&["sync"]).await;
    holds(&told, &["2 条答复", &id]);
}

#[tokio::test]
async fn a_phone_handed_over_in_mid_sync_keeps_the_two_apart() {
    let scratch = Scratch::new("process");
    let serving = demo(scratch.path(), &[]).await;
    let phone = signed_in(scratch.path(), &serving, WORKER).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("it is bound"));
    let slow = said(phone.at(&address).command(&["sync"]));
    let story = async {
        let (line, _) = silent.accept().await.expect("it speaks");
        phone.does(&["sign-in", COLLEAGUE, PASSWORD]).await;
        drop((line, silent));
    };
    let (slow, ()) = futures::join!(slow, story);
    holds(slow.bad(), &["重新登记过"]);
    phone.does(&["sync"]).await;
    let streams = phone.does(&["show", "streams"]).await;
    assert!(!streams.contains("p-worker-01"), "{streams}");
}
