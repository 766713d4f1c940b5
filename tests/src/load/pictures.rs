//! Photographs: what it costs to make both renditions of a large one, and to take small ones in.
//!
//! Renditions are made in this process by the server's own code, one at a time; beside them stands
//! `vipsthumbnail` where it is installed (`apt-get install libvips-tools`). Uploads go to a server
//! of their own, each with bytes of its own, and are durable when they are answered.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};
use xiangyi_proto::photo::{Mime, Rendition};
use xiangyi_server::photos::rendition;

use super::phones::{Line, Sender, telephone};
use super::report::{Row, short};
use super::server::{Server, own};
use super::visits::WORKERS;
use super::works::{Meter, Tally};
use super::{Fault, now};
use crate::engine::Engine;
use crate::scratch::Scratch;

/// Pixels of a large photograph: 12 megapixels, as telephones take them.
const LARGE: (u32, u32) = (4_000, 3_000);
/// Pixels of one that the phone has made smaller: about 200 KB.
const SMALL: (u32, u32) = (1_600, 1_200);
/// Phones that upload at a time.
const SENDERS: usize = 24;
/// Pictures at least, however long one takes.
const PICTURES_MIN: u32 = 10;

/// Hills, sky and the noise of a sensor; the same every time.
fn drawn((width, height): (u32, u32), noise: u32, quality: u8) -> Result<Vec<u8>, Fault> {
    let mut state = 12_345_u32;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 24) * noise / 255;
        let hill = ((x as f32 / 90.0).sin() * 40.0 + (y as f32 / 70.0).cos() * 40.0) as i32;
        let tone = |base: i32| (base + hill + grain as i32).clamp(0, 255) as u8;
        Rgb([tone(90), tone(120), tone(150 - (y * 100 / height) as i32)])
    });
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode(
        picture.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(jpeg)
}

/// A row of work that no database takes part in.
fn row(work: &'static str) -> Row {
    let mut row = Row::new(work, Engine::Sqlite);
    row.engine = "-";
    row
}

/// Both renditions of a large photograph, by the server's code.
///
/// # Errors
/// When the picture cannot be made or read.
pub fn develop(span: Duration) -> Result<Row, Fault> {
    let jpeg = drawn(LARGE, 24, 88)?;
    let once = || rendition::develop(&jpeg, Mime::Jpeg).map_err(|_| "it cannot be decoded");
    once()?;
    let (began, spent, mut count) = (now(), own()?.0, 0_u32);
    while count < PICTURES_MIN || began.elapsed() < span {
        once()?;
        count += 1;
    }
    let cpu = own()?.0 - spent;
    Ok(told(
        row("develop 12 MP"),
        jpeg.len(),
        count,
        began.elapsed(),
        cpu,
    ))
}

fn told(mut row: Row, bytes: usize, count: u32, took: Duration, cpu: Duration) -> Row {
    let count = f64::from(count);
    row.per_s = short(count / took.as_secs_f64());
    row.cpu_ms_per_1000 = short(cpu.as_secs_f64() * 1_000_000.0 / count);
    row.bytes_up = short(bytes as f64);
    row
}

/// The same by `vipsthumbnail`, one process a rendition; nothing where it is not installed.
///
/// # Errors
/// When it is installed and fails.
pub fn vips(span: Duration) -> Result<Option<Row>, Fault> {
    let mut there = Command::new("vipsthumbnail");
    there.arg("--vips-version");
    if silent(there).is_err() {
        eprintln!("load: no vipsthumbnail to compare with: apt-get install libvips-tools");
        return Ok(None);
    }
    let scratch = Scratch::new("vips");
    let (jpeg, from) = (drawn(LARGE, 24, 88)?, scratch.path().join("large.jpg"));
    fs::write(&from, &jpeg)?;
    let (began, spent, mut count) = (now(), own()?.1, 0_u32);
    while count < PICTURES_MIN || began.elapsed() < span {
        for rendition in Rendition::ALL {
            let edge = rendition.long_edge();
            let out = format!("{}.jpg[Q=80,strip]", rendition.name());
            let mut command = Command::new("vipsthumbnail");
            command.env("VIPS_CONCURRENCY", "1").arg(&from);
            command.args(["--size", &format!("{edge}x{edge}>"), "-o", &out]);
            silent(command)?;
        }
        count += 1;
    }
    let cpu = own()?.1 - spent;
    Ok(Some(told(
        row("vips 12 MP"),
        jpeg.len(),
        count,
        began.elapsed(),
        cpu,
    )))
}

fn silent(mut command: Command) -> Result<(), Fault> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let went_well = command.status()?.success();
    went_well
        .then_some(())
        .ok_or_else(|| "vipsthumbnail failed".into())
}

/// Photographs of some 200 KB by 24 phones, one form each.
///
/// # Errors
/// When one is not taken.
pub async fn upload(engine: Engine, span: Duration) -> Result<Row, Fault> {
    let server = Server::start(engine, &[]).await?;
    let (jpeg, numbers) = (drawn(SMALL, 10, 80)?, AtomicU32::new(0));
    let line = Line::to(&server.base)?;
    let tokens = (0..WORKERS).map(|worker| {
        let line = line.clone();
        async move { line.sign_in(&telephone(worker)).await }
    });
    let tokens = try_join_all(tokens).await?;
    let sender = |index: usize| Sender::new(&line, &tokens[index % WORKERS], index % WORKERS);
    let senders: Vec<Sender> = (0..SENDERS).map(sender).collect();
    try_join_all(senders.iter().map(|sender| one(sender, &jpeg, &numbers))).await?;
    let (meter, end) = (Meter::start(&server)?, now() + span);
    let work = senders.iter().map(|sender| async {
        let mut tally = Tally::default();
        while now() < end {
            let (bytes, took) = one(sender, &jpeg, &numbers).await?;
            tally.records += 1;
            tally.took.push(took);
            tally.bytes_up += bytes as u64;
        }
        Ok::<_, Fault>(tally)
    });
    let tally = try_join_all(work)
        .await?
        .into_iter()
        .fold(Tally::default(), Tally::and);
    let mut row = Row::new("upload", engine);
    row.phones = Some(SENDERS);
    meter.fill(&mut row, &server, tally)?;
    server.stop().await?;
    Ok(row)
}

/// Sends the picture with a number behind its end, which makes it another file.
async fn one(
    sender: &Sender,
    jpeg: &[u8],
    numbers: &AtomicU32,
) -> Result<(usize, Duration), Fault> {
    let number = numbers.fetch_add(1, Ordering::Relaxed);
    let file = [jpeg, number.to_be_bytes().as_slice()].concat();
    sender.send(&file).await
}
