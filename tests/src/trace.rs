//! What a process asked of the kernel, as `strace` wrote it down, and what a disk would have kept
//! of it when the current was cut.
//!
//! A write is safe once a sync of the same file that began after it has ended. Of all others a disk
//! may have any: each whole, torn at a sector, or not at all.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tokio::process::Command;
use xiangyi_server::entropy::Entropy;

use crate::field::below;
use crate::program::Program;

/// Calls that are written down, whatever their data.
const CALLS: &str = "trace=pwrite64,write,writev,sendto,recvfrom,fsync,fdatasync,ftruncate,unlink";
const SECTOR: usize = 512;

/// One call: lines at which it began and ended.
#[derive(Debug)]
pub struct Call {
    pub begun: usize,
    pub ended: usize,
    pub name: String,
    /// The file or socket, decoded.
    pub on: String,
    /// The bytes that went in or out.
    pub data: Vec<u8>,
    numbers: Vec<u64>,
}

/// The program as `Program::command` has it, under `strace`, which writes to `file`. The process
/// that is started is the program's own; its tracer goes with it.
pub fn traced(program: Program, file: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "--",
        "strace",
        "-D",
        "-f",
        "-y",
        "-xx",
    ]);
    command.args(["--seccomp-bpf", "-s", "1000000", "-e", CALLS, "-o"]);
    command.arg(file).arg(program.0).args(args);
    command.kill_on_drop(true);
    command
}

/// The calls in a trace that came to an end.
pub fn calls(trace: &str) -> Vec<Call> {
    let mut open = HashMap::<&str, (usize, String)>::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((pid, rest)) = text.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(half) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(pid, (line, half.to_owned()));
        } else if rest.starts_with("<... ") {
            let (Some((begun, half)), Some((_, end))) = (open.remove(pid), rest.split_once('>'))
            else {
                continue;
            };
            calls.extend(call(
                begun,
                line,
                &format!("{half}{}", end.replacen(" resumed>", "", 1)),
            ));
        } else {
            calls.extend(call(line, line, rest));
        }
    }
    calls
}

/// One whole line; nothing if the call failed.
fn call(begun: usize, ended: usize, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (args, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    let on = match args.split_once('<') {
        Some((number, on)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
            unescaped(on.split_once('>')?.0)
        }
        _ => unescaped(args.split('"').nth(1)?),
    };
    let data = args
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(unescaped)
        .collect();
    // The end of a call that was interrupted is set in columns.
    let numbers = args.trim_end().trim_end_matches(')').rsplit(", ");
    Some(Call {
        begun,
        ended,
        name: name.to_owned(),
        on: String::from_utf8_lossy(&on).into_owned(),
        data,
        numbers: numbers
            .map_while(|number| number.trim().parse().ok())
            .collect(),
    })
}

/// The bytes of `\x41\x42`.
fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.split("\\x").skip(1);
    bytes
        .filter_map(|byte| u8::from_str_radix(byte.get(..2)?, 16).ok())
        .collect()
}

impl Call {
    /// Whether it makes a file safe.
    pub fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync")
    }
}

/// What a disk has of one file when the current is cut at a line of the trace: all that was safe,
/// and of the rest what the dice say.
pub fn kept(calls: &[Call], file: &str, cut: usize, dice: &Entropy) -> Vec<u8> {
    let own = calls.iter().filter(|call| call.on == file);
    let own: Vec<&Call> = own.filter(|call| call.begun < cut).collect();
    let synced = own.iter().filter(|call| call.is_sync() && call.ended < cut);
    let safe_before = synced.map(|call| call.begun).max().unwrap_or(0);
    let mut content = Vec::new();
    for call in own {
        let is_safe = call.ended < safe_before;
        let has = match below(dice, 4) {
            _ if is_safe => usize::MAX,
            0 => usize::try_from(below(dice, 16)).expect("small") * SECTOR,
            1 => 0,
            _ => usize::MAX,
        };
        apply(&mut content, call, has);
    }
    content
}

/// Alters the content by a call, of which so many bytes came through.
fn apply(content: &mut Vec<u8>, call: &Call, has: usize) {
    let number = call
        .numbers
        .first()
        .and_then(|number| usize::try_from(*number).ok());
    match (call.name.as_str(), number) {
        ("pwrite64", Some(at)) => {
            let data = &call.data[..call.data.len().min(has)];
            if content.len() < at + data.len() {
                content.resize(at + data.len(), 0);
            }
            content[at..at + data.len()].copy_from_slice(data);
        }
        ("ftruncate", Some(length)) if has > 0 => content.resize(length, 0),
        ("unlink", _) if has > 0 => content.clear(),
        _ => {}
    }
}

/// Every file that was written, and how often.
pub fn files(calls: &[Call]) -> BTreeMap<&str, usize> {
    let mut files = BTreeMap::new();
    for call in calls.iter().filter(|call| call.name == "pwrite64") {
        *files.entry(call.on.as_str()).or_default() += 1;
    }
    files
}
