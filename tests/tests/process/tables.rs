//! `xiangyi import` and `xiangyi move` beside a running server, and the phones that follow.

use std::fs;
use std::path::Path;

use xiangyi_tests::program::{Hand, Said};
use xiangyi_tests::scratch::Scratch;

use crate::phone::{holds, signed_in};
use crate::{STATION, VILLAGE, WORKER, XIANGYI, demo};

const OTHER_STATION: &str = "430121002";
const COLLEAGUE: &str = "13800000002";

async fn run(room: &Path, args: &[&str]) -> Said {
    let data = room.join("data").display().to_string();
    let mut all = args[..2].to_vec();
    all.extend(["--data", &data]);
    all.extend(&args[2..]);
    XIANGYI.run(&all).await
}

fn example(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/../deploy/import/{name}")
}

#[tokio::test]
async fn the_examples_come_in_one_after_another_and_once() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let serving = demo(room, &[]).await;
    let passwords = room.join("passwords.csv");
    let passwords = passwords.display().to_string();
    for what in ["regions", "units", "people", "agencies", "clients"] {
        let file = example(&format!("{what}.csv"));
        let ask = ["import", what, file.as_str()];
        let named = ["import", what, file.as_str(), "--passwords", &passwords];
        let ask = if what == "people" {
            &named[..]
        } else {
            &ask[..]
        };
        let tried = run(room, &[ask, &["--dry-run"]].concat()).await;
        holds(tried.good(), &["新增 new", "nothing was written"]);
        let first = run(room, ask).await;
        assert_eq!(
            first.good(),
            tried.good().replace(
                "只是试算，什么也没有写入 a trial: nothing was written\n",
                ""
            ),
            "a trial prints the same report"
        );
        let again = run(room, ask).await;
        holds(again.good(), &["不变 unchanged", "没有变化"]);
    }
    let kept = fs::read_to_string(&passwords).expect("the file is there");
    let line = kept.lines().nth(1).expect("somebody is new");
    let cells: Vec<&str> = line.split(',').collect();
    let phone = XIANGYI.hand(&room.join("new"), &serving.base);
    phone.does(&["sign-in", cells[0], cells[2]]).await;
    phone.does(&["sync"]).await;
    let rows = phone.does(&["show", "rows", "--json"]).await;
    holds(&rows, &["示例奶奶", "示例爷爷"]);
    // The running server has read the new township by itself.
    let sheet = run(room, &["import", "people", &data_sheet(), "--dry-run"]).await;
    holds(sheet.good(), &["430121099", "新增 new"]);
    for secret in ["示例奶奶", "13700000001", cells[2]] {
        assert!(!serving.log().contains(secret), "{secret} in the log");
    }
}

fn data_sheet() -> String {
    crate::data("import/people.xlsx")
}

#[tokio::test]
async fn a_refused_line_stops_the_program_too() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let _serving = demo(room, &[]).await;
    let file = room.join("regions.csv");
    fs::write(&file, "代码,名称\n430121098,好\n43,\n").expect("written");
    let file = file.display().to_string();
    let said = run(room, &["import", "regions", &file]).await;
    holds(said.bad(), &["什么也没有写入", "--skip-refused"]);
    holds(&said.out, &["3\t不收 refused\t43\t"]);
    let said = run(room, &["import", "regions", &file, "--skip-refused"]).await;
    holds(said.good(), &["新增 new 1", "不收 refused 1"]);
    let said = run(room, &["import", "regions", &file, "--skip-refused"]).await;
    holds(said.good(), &["不变 unchanged 1", "没有变化"]);
}

#[tokio::test]
async fn a_wrong_file_is_no_pack_and_is_not_told() {
    let scratch = Scratch::new("process");
    let file = scratch.path().join("people.csv");
    fs::write(&file, "手机号,姓名\n13700000001,示例甲\n").expect("written");
    let file = file.display().to_string();
    let args = ["import", "pack", &file, "--by", WORKER, "--dry-run"];
    let said = run(scratch.path(), &args).await;
    holds(said.bad(), &["not sound", "document"]);
    let told = said.bad();
    assert!(!told.contains("示例甲") && !told.contains("手机"), "{told}");
}

/// A client with a visit; gives their ids.
async fn served(phone: &Hand) -> (String, String) {
    let card = ["client", "--name", "彭奶奶", "--village", VILLAGE];
    let card = phone.records(&card).await;
    let visit = [
        "visit",
        "--client",
        &card,
        "--minutes",
        "40",
        "--service",
        "ec_visit",
    ];
    let story = ["--process", "上门看望，量了血压。"];
    let visit = phone.records(&[&visit[..], &story].concat()).await;
    (card, visit)
}

#[tokio::test]
async fn phones_follow_a_move_and_clients_change_phones() {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let serving = demo(room, &[]).await;
    let phone = signed_in(room, &serving, WORKER).await;
    let colleague = signed_in(room, &serving, COLLEAGUE).await;
    let (card, visit) = served(&phone).await;
    phone.does(&["sync"]).await;
    colleague.does(&["sync"]).await;
    let rows = colleague.does(&["show", "rows", "--json"]).await;
    assert!(!rows.contains("彭奶奶"), "{rows}");

    let ask = ["move", "worker", WORKER, STATION, OTHER_STATION];
    holds(run(room, &ask).await.bad(), &["--clients-to"]);
    let ask = [&ask[..], &["--clients-to", COLLEAGUE]].concat();
    let tried = run(room, &[&ask[..], &["--dry-run"]].concat()).await;
    let list = [
        "grants_ended: 1",
        "grants_given: 1",
        "clients: 1",
        "visits: 1",
        "phones: 1",
    ];
    holds(tried.good(), &list);
    holds(
        &phone.does(&["show", "streams"]).await,
        &["station:430121001"],
    );
    holds(run(room, &ask).await.good(), &list);

    phone.does(&["sync"]).await;
    let streams = phone.does(&["show", "streams"]).await;
    assert!(!streams.contains("station:430121001"), "left: {streams}");
    let rows = phone.does(&["show", "rows", "--json"]).await;
    assert!(!rows.contains("彭奶奶"), "the card is taken: {rows}");
    assert!(rows.contains(&visit), "the own record stays: {rows}");
    colleague.does(&["sync"]).await;
    let rows = colleague.does(&["show", "rows", "--json"]).await;
    holds(&rows, &["彭奶奶", "量了血压"]);
    let village = format!("{OTHER_STATION}001");
    phone.records(&["check-in", "--village", &village]).await;
    holds(&phone.does(&["sync"]).await, &["已收下"]);
    holds(
        &phone.does(&["show", "streams"]).await,
        &["station:430121002"],
    );

    // And back, the client alone: to somebody who serves at another station it cannot go.
    let back = ["move", "client", &card, STATION, WORKER];
    holds(run(room, &back).await.bad(), &["/to", "不在那里"]);
    let said = run(room, &["move", "worker", WORKER, OTHER_STATION, STATION]).await;
    holds(said.good(), &["grants_given: 1"]);
    holds(run(room, &back).await.good(), &["clients: 1", "visits: 1"]);
    phone.does(&["sync"]).await;
    holds(&phone.does(&["show", "rows", "--json"]).await, &["彭奶奶"]);
    colleague.does(&["sync"]).await;
    let rows = colleague.does(&["show", "rows", "--json"]).await;
    assert!(
        !rows.contains("彭奶奶") && !rows.contains("量了血压"),
        "{rows}"
    );
}
