//! A county is lost and comes back: `xiangyi backup`, `restore`, `verify` beside real phones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use xiangyi_tests::on_both;
use xiangyi_tests::program::Said;
use xiangyi_tests::scratch::Scratch;

use crate::{PASSWORD, VILLAGE, WORKER, XIANGYI, data};

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
    let ids = |rows: &str| -> BTreeSet<String> {
        let words = rows.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
        words
            .filter(|word| word.len() == 36)
            .map(str::to_owned)
            .collect()
    };
    let (before, after) = (ids(&rows), ids(&after));
    assert!(before.len() >= 2, "the check-in and the visit: {rows}");
    assert!(before.is_subset(&after), "{before:?} is not in {after:?}");
});

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
    fs::write(&file, "lisen = \"127.0.0.1:9\"\n").expect("written");
    let said = command(&args.each_ref().map(String::as_str)).await;
    assert!(said.bad().contains("lisen"), "{said:?}");
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
