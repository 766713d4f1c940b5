//! No answer before its sync, and what a disk keeps when the current is cut.
//!
//! The server works under `strace`. First its calls are looked at: between the receipt of each push
//! and its answer the journal was written and then synced. Then the disk is rebuilt as it may have
//! been at drawn moments, with all that was synced and any part of the rest, and opened by the
//! server's own commands: whatever had been answered is there, and everything adds up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sqlx::query_scalar;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::on;
use xiangyi_server::store::Db;
use xiangyi_tests::field::{Field, asked, below, seed};
use xiangyi_tests::program::until;
use xiangyi_tests::scratch::Scratch;
use xiangyi_tests::trace::{Call, calls, files, kept, traced};

use crate::{XIANGYI, adds_up, everybody, worked};

/// Answered items of the traced work.
const ITEMS: u64 = 400;
/// Moments at which the current is cut in an ordinary run.
const CUTS: u64 = 12;

/// Works under a tracer; gives its calls, and the path of the database file.
async fn work(room: &Path, seed: u64) -> (Vec<Call>, String) {
    let (trace, file) = (room.join("trace"), room.join("xiangyi.db"));
    let (data, file) = (room.join("data"), file.display().to_string());
    let (data, database) = (data.display().to_string(), format!("sqlite:{file}"));
    let fixed = [
        "serve",
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data,
    ];
    let args = [&fixed[..], &["--database", &database]].concat();
    let server = XIANGYI.serve_by(traced(XIANGYI, &trace, &args), room).await;
    let server = server.expect("it starts under strace");
    let field = Field::new(server.nobody());
    let people = everybody(&server.nobody(), seed).await;
    let story = async {
        until("so much is answered", || {
            (field.acknowledged() >= ITEMS).then_some(())
        })
        .await;
    };
    worked(people, &field, story).await;
    server.kill().await;
    let text = || fs::read_to_string(&trace).unwrap_or_default();
    let whole = until("the tracer has written all of it", || {
        let text = text();
        text.trim_end().ends_with("+++").then_some(text)
    });
    (calls(&whole.await), file)
}

/// Ids of new records that an answer acknowledges.
fn acknowledged(call: &Call) -> Vec<String> {
    let text = String::from_utf8_lossy(&call.data);
    let mut ids = Vec::new();
    if text.contains("\"was\":") {
        // It repeats what was answered before.
        return ids;
    }
    for part in text.split("\"id\":\"").skip(1) {
        let Some((id, rest)) = part.split_once("\",\"verdict\":\"accepted\",") else {
            continue;
        };
        if id.len() == 36 && rest.starts_with("\"rev\":1,") {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// Each push whose answer acknowledges something: the line of its receipt, and of its answer.
fn answers(calls: &[Call]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for answer in calls.iter().filter(|call| call.on.starts_with("socket:")) {
        let is_out = matches!(answer.name.as_str(), "write" | "writev" | "sendto");
        if !is_out || acknowledged(answer).is_empty() {
            continue;
        }
        let asked = calls.iter().filter(|call| {
            call.name == "recvfrom" && call.on == answer.on && call.ended < answer.begun
        });
        let received = asked.map(|call| call.ended).max().expect("it was asked");
        pairs.push((received, answer.begun));
    }
    pairs
}

/// The journal was written, and then synced, in between.
fn is_synced(calls: &[Call], journal: &str, (from, to): (usize, usize)) -> bool {
    let own = || {
        calls
            .iter()
            .filter(|call| call.on == journal && call.begun > from)
    };
    let mut written = own().filter(|call| call.name == "pwrite64" && call.ended < to);
    let Some(last) = written.next() else {
        return false;
    };
    own().any(|call| call.is_sync() && call.begun > last.ended && call.ended < to)
}

/// Ids in the feed of a database.
async fn stored(database: &str) -> BTreeSet<String> {
    let db = Db::open(database).await.expect("the database opens");
    let mut tx = db.read().await.expect("begin");
    let ids: Vec<Vec<u8>> = on!(&mut tx, |c| query_scalar("SELECT DISTINCT id FROM feed")
        .fetch_all(c)
        .await)
    .expect("read");
    drop(tx);
    db.close().await;
    let text = |id: Vec<u8>| uuid::Uuid::from_slice(&id).expect("an id").to_string();
    ids.into_iter().map(text).collect()
}

/// The disk at a cut is opened: what was answered before is there.
async fn survives(room: &Path, calls: &[Call], file: &str, cut: usize, dice: &Entropy) -> usize {
    let after = Scratch::new("after");
    let database = after.path().join("xiangyi.db");
    for (from, to) in [
        (file.to_owned(), "xiangyi.db"),
        (format!("{file}-wal"), "xiangyi.db-wal"),
    ] {
        let content = kept(calls, &from, cut, dice);
        fs::write(after.path().join(to), content).expect("written");
    }
    let keys = after.path().join("data/keys");
    fs::create_dir_all(&keys).expect("a folder");
    for entry in fs::read_dir(room.join("data/keys")).expect("keys") {
        let entry = entry.expect("a key");
        fs::copy(entry.path(), keys.join(entry.file_name())).expect("copied");
    }
    for folder in [after.path().join("data"), keys] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("set");
    }
    let database = format!("sqlite:{}", database.display());
    adds_up(after.path(), &database).await;
    let there = stored(&database).await;
    let answers = calls.iter().filter(|call| {
        call.on.starts_with("socket:") && call.name != "recvfrom" && call.begun < cut
    });
    let mut count = 0;
    for id in answers.flat_map(acknowledged) {
        // What was taken back since is in nobody's stream.
        let voided = calls
            .iter()
            .filter(|call| call.name == "recvfrom" && call.begun < cut);
        let void = format!("\"id\":\"{id}\"");
        let is_voided = || {
            voided.clone().any(|call| {
                let text = String::from_utf8_lossy(&call.data);
                text.contains(&void) && text.contains("\"op\":\"void\"")
            })
        };
        assert!(
            there.contains(&id) || is_voided(),
            "{id} was answered before line {cut}, {} records are there",
            there.len(),
        );
        count += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_goes_out_before_its_sync() {
    let seed = seed();
    let scratch = Scratch::new("power");
    let (calls, file) = work(scratch.path(), seed).await;
    let journal = format!("{file}-wal");
    let written = files(&calls);
    assert!(written.contains_key(journal.as_str()), "{written:?}");
    let answers = answers(&calls);
    assert!(
        answers.len() > 60,
        "only {} answers were seen",
        answers.len()
    );
    for pair in &answers {
        assert!(
            is_synced(&calls, &journal, *pair),
            "an answer before its sync: {pair:?}"
        );
    }
    println!("{} answers, each after its sync", answers.len());

    let dice = Entropy::seeded(seed);
    let mut most = 0;
    for _ in 0..asked("CUTS").unwrap_or(CUTS) {
        // Right at an answer, or within the two hundred lines before the next.
        let (_, at) = answers[usize::try_from(below(&dice, answers.len() as u64)).expect("small")];
        let cut = at + usize::try_from(below(&dice, 200)).expect("small") + 1;
        let cut = if below(&dice, 2) == 0 { at + 1 } else { cut };
        most = most.max(survives(scratch.path(), &calls, &file, cut, &dice).await);
    }
    assert!(most > 100, "{most}");
}
