//! A strip of evidence: what the record says, drawn below the picture, with a check code.
//!
//! The letters come from a font inside the program; one that it does not have is drawn as its
//! number. Everything here computes for long: call it in the `Darkroom` only.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _, point};
use image::{Rgb, RgbImage};
use xiangyi_proto::photo::Mime;

use super::rendition::{self, Undecodable};

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../assets/font/strip.otf"))
        .expect("the font of this build can be read")
});
/// Quality of what is printed and put into a file.
const QUALITY: u8 = 85;
/// Letters that fit a line of the widest picture, and the smallest that is legible, in pixels.
const LETTERS_A_LINE: u32 = 44;
const LETTER_MIN: u32 = 16;
const LETTER_MAX: u32 = 40;
/// Lines a strip has at most; what does not fit is left out.
const LINES_MAX: usize = 12;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: u8 = 20;

/// The picture with these lines below it, as JPEG.
pub fn draw(view: &[u8], lines: &[String]) -> Result<Vec<u8>, Undecodable> {
    let picture = rendition::decoded(view, Mime::Jpeg)?;
    let (width, height) = picture.dimensions();
    let letter = (width / LETTERS_A_LINE).clamp(LETTER_MIN, LETTER_MAX);
    let (margin, step) = (letter / 2, letter + letter / 2);
    let room = (width.saturating_sub(2 * margin)) as f32;
    let scale = PxScale::from(letter as f32);
    let lines = lines
        .iter()
        .flat_map(|line| wrapped(&shown(line), scale, room));
    let lines: Vec<String> = lines.take(LINES_MAX).collect();
    let strip = u32::try_from(lines.len()).unwrap_or(0) * step + 2 * margin;
    let mut sheet = RgbImage::from_pixel(width, height + strip, PAPER);
    image::imageops::replace(&mut sheet, &picture, 0, 0);
    let mut top = height + margin;
    for line in &lines {
        write(&mut sheet, line, scale, (margin, top));
        top += step;
    }
    rendition::encoded(&sheet, QUALITY)
}

/// The text with what the font lacks as numbers, and nothing that turns or hides it.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if letter == ' ' || FONT.glyph_id(letter).0 != 0 {
            shown.push(letter);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(shown, "[U+{:04X}]", u32::from(letter));
        }
    }
    shown
}

/// Lines that fit the room, cut between any two letters, as Chinese is.
fn wrapped(text: &str, scale: PxScale, room: f32) -> Vec<String> {
    let font = FONT.as_scaled(scale);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0.0);
    for letter in text.chars() {
        let wide = font.h_advance(font.glyph_id(letter));
        if used + wide > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        line.push(letter);
        used += wide;
    }
    lines.push(line);
    lines
}

fn write(sheet: &mut RgbImage, line: &str, scale: PxScale, (left, top): (u32, u32)) {
    let font = FONT.as_scaled(scale);
    let (mut x, base) = (left as f32, top as f32 + font.ascent());
    for letter in line.chars() {
        let id = font.glyph_id(letter);
        let glyph = id.with_scale_and_position(scale, point(x, base));
        x += font.h_advance(id);
        let Some(outline) = FONT.outline_glyph(glyph) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|dx, dy, cover| {
            let at = (
                corner.x as i64 + i64::from(dx),
                corner.y as i64 + i64::from(dy),
            );
            let (Ok(x), Ok(y)) = (u32::try_from(at.0), u32::try_from(at.1)) else {
                return;
            };
            if let Some(pixel) = sheet.get_pixel_mut_checked(x, y) {
                let tone = f32::from(INK) * cover + 255.0 * (1.0 - cover);
                *pixel = Rgb([tone.clamp(0.0, 255.0) as u8; 3]);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../tests/data/photos/village-room.jpg");

    fn drawn(lines: &[&str]) -> RgbImage {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let jpeg = draw(PLAIN, &lines).expect("drawn");
        rendition::decoded(&jpeg, Mime::Jpeg).expect("a picture")
    }

    fn dark(picture: &RgbImage) -> usize {
        let strip = picture.enumerate_pixels().filter(|(_, y, _)| *y >= 1_200);
        strip.filter(|(.., pixel)| pixel.0[0] < 100).count()
    }

    #[test]
    fn lines_stand_below_the_picture_in_dark_letters() {
        let blank = drawn(&[""]);
        let told = drawn(&[
            "时间 2026-01-15 09:00（手机时间已校正）",
            "核对码 7KQ2-M9XD",
        ]);
        assert_eq!((told.width(), dark(&blank)), (1_600, 0));
        assert!(told.height() > blank.height() && blank.height() > 1_200);
        assert!(dark(&told) > 2_000, "{}", dark(&told));
    }

    #[test]
    fn letters_that_the_font_lacks_are_told_by_number() {
        assert_eq!(shown("龘村😀"), "龘村[U+1F600]".replace('龘', &shown("龘")));
        assert_eq!(shown("a\u{0}b\nc"), "abc");
        assert!(shown("\u{202e}村").starts_with("[U+202E]") || shown("\u{202e}村") == "村");
        for line in [
            "😀".repeat(500),
            "\u{10ffff}".to_owned(),
            "i".repeat(10_000),
        ] {
            assert!(drawn(&[&line]).height() > 1_200);
        }
    }

    #[test]
    fn every_region_of_this_build_can_be_written() {
        const NAMES: &str = include_str!("../../../proto/data/regions.json");
        let lacks: String = NAMES
            .chars()
            .filter(|letter| *letter > '\u{7f}' && FONT.glyph_id(*letter).0 == 0)
            .collect();
        // 㮾 of 㮾梨 in Changsha County is what most fonts of this size lack.
        assert_eq!(lacks, "");
    }
}
