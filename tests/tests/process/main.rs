//! The real program in processes of its own: started from nothing, configured, killed, told to
//! stop, and spoken to by the real command-line phone.

mod alone;
mod backup;
mod commands;
mod config;
mod day;
mod keys;
mod kill;
mod phone;
mod speaks;
mod start;
mod stop;
mod tables;
mod trouble;

use std::path::Path;

use xiangyi_tests::program::{Program, Serving};

/// The server's binary, built by cargo for this suite out of the same `main.rs`.
const XIANGYI: Program = Program(env!("CARGO_BIN_EXE_xiangyi-under-test"));
const PASSWORD: &str = xiangyi_tests::actor::PASSWORD;
/// A station of the demo, its first village, and its first worker.
const STATION: &str = "430121001";
const VILLAGE: &str = "430121001001";
const WORKER: &str = "13800000001";

/// The demo on a port of its own, its data in `room/data`.
async fn demo(room: &Path, more: &[&str]) -> Serving {
    let data = room.join("data").display().to_string();
    let mut args = vec!["serve", "--demo", "--data", &data];
    if !more.contains(&"--listen") {
        args.extend(["--listen", "127.0.0.1:0"]);
    }
    args.extend(more);
    let serving = XIANGYI.serve(room, &args).await;
    serving.unwrap_or_else(|said| panic!("the server did not start: {said:?}"))
}

/// A file of the tests' data.
fn data(name: &str) -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    data.join(name).display().to_string()
}
