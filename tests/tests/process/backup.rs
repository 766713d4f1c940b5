//! A county is lost and comes back: `xiangyi backup`, `restore`, `verify` beside real phones.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use xiangyi_tests::on_both;
use xiangyi_tests::program::{Hand, Said};
use xiangyi_tests::scratch::Scratch;

use crate::{PASSWORD, STATION, VILLAGE, WORKER, XIANGYI, data};

fn text(path: &Path) -> String {
    path.display().to_string()
}

async fn command(args: &[&str]) -> Said {
    XIANGYI.run(args).await
}

on_both!(a_county_is_lost_and_comes_back, |engine| {
    let scratch = Scratch::new("process");
    let room = scratch.path();
    let (folder, url) = (text(&room.join("data")), engine.address(&scratch).await);
    let listen = ["--listen", "127.0.0.1:0", "--demo"];
    let serve = |data: &str, url: &str| {
        let args = ["serve", "--data", data, "--database", url];
        let args = args.iter().chain(&listen);
        args.map(|arg| (*arg).to_owned()).collect::<Vec<String>>()
    };
    let args = serve(&folder, &url);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let serving = XIANGYI.serve(room, &args).await.expect("it starts");
    let ready = serving.nobody().get("/readyz").await;
    assert!(ready.text.contains("no backup"), "{}", ready.text);

    let phone = XIANGYI.hand(&room.join("phone"), &serving.base);
    phone.does(&["sign-in", WORKER, PASSWORD]).await;
    let photo = data("photos/exif-roadside.jpg");
    phone.does(&["check-in", "--village", VILLAGE]).await;
    let visit = [
        "visit",
        "--no-client",
        "走访",
        "--minutes",
        "30",
        "--service",
        "ec_visit",
    ];
    let visit: Vec<&str> = visit.iter().chain(&["--photo", &photo]).copied().collect();
    phone.does(&visit).await;
    phone.does(&["sync"]).await;
    let rows = phone.does(&["show", "rows"]).await;

    let (backups, keys) = (text(&room.join("backups")), text(&room.join("keys")));
    let place = ["--data", &folder, "--database", &url];
    let backup = ["backup", "--to", &backups, "--keys-to", &keys];
    let all: Vec<&str> = backup.iter().chain(&place).copied().collect();
    command(&all).await.good();
    let ready = serving.nobody().get("/readyz").await;
    assert_eq!(ready.text, "ready\n");
    let all: Vec<&str> = ["verify"].iter().chain(&place).copied().collect();
    assert!(command(&all).await.good().contains("everything adds up"));

    // The machine burns: its disk and its database are gone.
    serving.kill().await;
    fs::remove_dir_all(&folder).expect("removed");
    let again = Scratch::new("process");
    let url = engine.address(&again).await;
    let made = xiangyi_server::backup::list(Path::new(&backups)).expect("a list");
    let from = text(made.first().expect("one backup"));
    let restore = ["restore", "--from", &from, "--keys", &keys];
    let place = ["--data", &folder, "--database", &url];
    let all: Vec<&str> = restore.iter().chain(&place).copied().collect();
    command(&all).await.good();

    let args = serve(&folder, &url);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let serving = XIANGYI.serve(room, &args).await.expect("it starts");
    let phone = phone.at(&serving.base);
    // Its session, its registration and its numbers are known; work goes on.
    phone.does(&["check-in", "--village", VILLAGE]).await;
    let told = phone.does(&["sync"]).await;
    assert!(told.contains("已收下"), "{told}");
    let fresh = XIANGYI.hand(&room.join("fresh"), &serving.base);
    fresh.does(&["sign-in", WORKER, PASSWORD]).await;
    fresh.does(&["sync"]).await;
    let after = fresh.does(&["show", "rows"]).await;
    let (before, after) = (ids(&rows), ids(&after));
    assert!(before.len() >= 2, "the check-in and the visit: {rows}");
    assert!(before.is_subset(&after), "{before:?} is not in {after:?}");
});

/// Ids of what a phone shows.
fn ids(rows: &str) -> BTreeSet<String> {
    let words = rows.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words
        .filter(|word| word.len() == 36)
        .map(str::to_owned)
        .collect()
}

/// Checks in so many times, each sent at once.
async fn keeps_checking_in(phone: &Hand, times: usize) {
    for _ in 0..times {
        phone.does(&["check-in", "--village", VILLAGE]).await;
        phone.does(&["sync"]).await;
    }
}

/// A visit to a place with a photograph.
async fn visits(phone: &Hand, photo: &str) {
    let photo = data(photo);
    let visit = ["visit", "--no-client", "走访", "--minutes", "30"];
    let more = ["--service", "ec_visit", "--photo", &photo];
    let visit: Vec<&str> = visit.iter().chain(&more).copied().collect();
    phone.does(&visit).await;
    phone.does(&["sync"]).await;
}

on_both!(
    what_was_acknowledged_after_the_backup_comes_back,
    |engine| {
        let scratch = Scratch::new("process");
        let room = scratch.path();
        let (folder, url) = (text(&room.join("data")), engine.address(&scratch).await);
        let place = ["--database", &url];
        let serving = crate::demo(room, &place).await;
        let workers = [WORKER, "13800000002", "13800000002"];
        let mut phones = Vec::new();
        for (number, worker) in workers.iter().enumerate() {
            let phone = XIANGYI.hand(&room.join(format!("phone-{number}")), &serving.base);
            phone.does(&["sign-in", worker, PASSWORD]).await;
            phones.push(phone);
        }
        visits(&phones[0], "photos/exif-roadside.jpg").await;

        // A backup in the middle of the work, which goes on after it.
        let (backups, keys) = (text(&room.join("backups")), text(&room.join("keys")));
        let backup = [
            "backup",
            "--to",
            &backups,
            "--keys-to",
            &keys,
            "--data",
            &folder,
        ];
        let backup: Vec<&str> = backup.iter().chain(&place).copied().collect();
        let backing_up = async { command(&backup).await.good().to_owned() };
        let (one, two) = (
            keeps_checking_in(&phones[1], 5),
            keeps_checking_in(&phones[2], 5),
        );
        futures::join!(backing_up, one, two);
        visits(&phones[0], "photos/hillside.jpg").await;
        keeps_checking_in(&phones[1], 2).await;
        // A phone that the backup has never heard of.
        let late = XIANGYI.hand(&room.join("phone-late"), &serving.base);
        late.does(&["sign-in", WORKER, PASSWORD]).await;
        keeps_checking_in(&late, 2).await;
        let mut before = BTreeSet::new();
        for phone in phones.iter().chain([&late]) {
            phone.does(&["sync"]).await;
            before.extend(ids(&phone.does(&["show", "rows"]).await));
        }

        serving.kill().await;
        fs::remove_dir_all(&folder).expect("removed");
        let again = Scratch::new("process");
        let url = engine.address(&again).await;
        let place = ["--database", &url];
        let made = xiangyi_server::backup::list(Path::new(&backups)).expect("a list");
        let from = text(made.first().expect("one backup"));
        let restore = [
            "restore", "--from", &from, "--keys", &keys, "--data", &folder,
        ];
        let restore: Vec<&str> = restore.iter().chain(&place).copied().collect();
        command(&restore).await.good();
        let serving = crate::demo(room, &place).await;

        for phone in &phones {
            phone.at(&serving.base).does(&["sync"]).await;
        }
        // Its session is gone with its registration: the person signs in, and it is the same phone.
        let late = late.at(&serving.base);
        assert!(
            late.run(&["sync"]).await.bad().contains("sign in"),
            "it asks for it"
        );
        late.does(&["sign-in", WORKER, PASSWORD]).await;
        late.does(&["sync"]).await;
        let mut after = BTreeSet::new();
        for (number, worker) in workers.iter().enumerate() {
            let fresh = XIANGYI.hand(&room.join(format!("fresh-{number}")), &serving.base);
            fresh.does(&["sign-in", worker, PASSWORD]).await;
            fresh.does(&["sync"]).await;
            after.extend(ids(&fresh.does(&["show", "rows"]).await));
        }
        let lost: Vec<&String> = before.difference(&after).collect();
        assert!(before.len() >= 16, "{before:?}");
        assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
        // Photographs that came after the backup were offered once more.
        let worker = serving.nobody().sign_in(WORKER).await;
        for photo in ["photos/exif-roadside.jpg", "photos/hillside.jpg"] {
            let bytes = fs::read(data(photo)).expect("read");
            let sha256 = xiangyi_tests::actor::hash(&bytes);
            let path = format!("/v1/photos/{sha256}?unit={STATION}");
            let got = worker.get(&path).await;
            assert_eq!(got.status.as_u16(), 200, "{photo}: {}", got.text);
        }
        let verify = ["verify", "--data", &folder];
        let verify: Vec<&str> = verify.iter().chain(&place).copied().collect();
        assert!(command(&verify).await.good().contains("everything adds up"));
    }
);

#[tokio::test]
async fn keys_do_not_lie_beside_the_backup() {
    let scratch = Scratch::new("process");
    let _serving = crate::demo(scratch.path(), &[]).await;
    let folder = text(&scratch.path().join("data"));
    let backups = scratch.path().join("backups");
    let (to, keys) = (text(&backups), text(&backups.join("keys")));
    let args = ["backup", "--data", &folder, "--to", &to, "--keys-to", &keys];
    let said = command(&args).await;
    assert!(said.bad().contains("elsewhere"), "{said:?}");
    assert!(!backups.join("keys").exists());
}

#[tokio::test]
async fn settings_are_checked_before_a_start() {
    let scratch = Scratch::new("process");
    let file = scratch.path().join("xiangyi.toml");
    let args = ["check-config", "--config", &text(&file)].map(str::to_owned);
    fs::write(&file, "listen = \"127.0.0.1:9\"\n").expect("written");
    let said = command(&args.each_ref().map(String::as_str)).await;
    assert!(said.good().contains("127.0.0.1:9"), "{said:?}");
    let none = scratch.path().join("none");
    for (settings, why) in [
        ("lisen = \"127.0.0.1:9\"", "lisen"),
        ("[wechat]\napp_id = \"wx1\"", "app_secret"),
        ("[database]\nurl = \"mysql://x/y\"", "postgres://"),
        (
            &format!("[wechat]\napp_id = \"wx1\"\napp_secret_file = {none:?}"),
            "app_secret",
        ),
    ] {
        fs::write(&file, format!("{settings}\n")).expect("written");
        let said = command(&args.each_ref().map(String::as_str)).await;
        assert!(said.bad().contains(why), "{settings}: {said:?}");
    }
    let empty = scratch.path().join("secret");
    fs::write(&empty, "\n").expect("written");
    let of_file = format!("app_secret_file = {:?}", text(&empty));
    for secret in [of_file.as_str(), "app_secret = \"\""] {
        fs::write(&file, format!("[wechat]\napp_id = \"wx1\"\n{secret}\n")).expect("written");
        let said = command(&args.each_ref().map(String::as_str)).await;
        assert!(
            said.bad().contains("wechat.app_secret") && said.bad().contains("empty"),
            "{said:?}"
        );
    }
    // A key that others may read stops a start, and is told before it.
    let data = scratch.path().join("data");
    fs::create_dir_all(data.join("keys")).expect("made");
    let key = data.join("keys/root.key");
    fs::write(&key, "00".repeat(32)).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
    let said = command(&["check-config", "--data", &text(&data)]).await;
    assert!(said.bad().contains("chmod 600"), "{said:?}");
}

#[tokio::test]
async fn root_leaves_nothing_in_the_folder_of_an_account() {
    let scratch = Scratch::new("process");
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("made");
    if chown(&data, Some(65_534), Some(65_534)).is_err() {
        // Only root can write into another's folder, and only root can give one away.
        return;
    }
    let folder = text(&data);
    let to = text(&scratch.path().join("to"));
    for words in [
        &["check-config"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["migrate"],
        &["backup", "--to", &to],
        &["restore", "--from", &to, "--keys", &to],
    ] {
        let said = command(&[words, &["--data", &folder]].concat()).await;
        let why = said.bad();
        assert!(
            why.contains("account 65534") || matches!(words[0], "backup" | "restore"),
            "{words:?}: {said:?}"
        );
    }
    assert_eq!(fs::read_dir(&data).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_backup_that_would_be_none_is_refused() {
    let scratch = Scratch::new("process");
    let _serving = crate::demo(scratch.path(), &[]).await;
    let folder = text(&scratch.path().join("data"));
    let (within, out) = (scratch.path().join("data/copies"), scratch.path().join("b"));
    let (within, out) = (text(&within), text(&out));
    let said = command(&["backup", "--data", &folder, "--to", &within]).await;
    assert!(said.bad().contains("elsewhere"), "{said:?}");
    let said = command(&["backup", "--data", &folder, "--to", &out, "--keep", "0"]).await;
    assert!(said.bad().contains("--keep"), "{said:?}");
    let made = command(&["backup", "--data", &folder, "--to", &out]).await;
    made.good();
    let said = command(&["messages", "parked", "--data", &folder]).await;
    assert!(said.good().contains("没有"), "{said:?}");
    let empty = text(&scratch.path().join("empty"));
    let said = command(&["migrate", "--data", &empty]).await;
    assert!(said.err.starts_with("数据库 database"), "{said:?}");
    let said = command(&["restore", "--data", &empty, "--from", &out]).await;
    let words = said.bad();
    assert!(words.contains(&format!("--from {out}/20")), "{words}");
}

#[tokio::test]
async fn a_full_disk_is_called_so() {
    let scratch = Scratch::new("process");
    let _serving = crate::demo(scratch.path(), &[]).await;
    let folder = text(&scratch.path().join("data"));
    let to = text(&scratch.path().join("backups"));
    let args = ["backup", "--data", &folder, "--to", &to].map(str::to_owned);
    let said = xiangyi_tests::program::said(crate::trouble::without_room(XIANGYI, 40, &args));
    let said = said.await;
    assert!(said.bad().contains("磁盘满了"), "{said:?}");
}
