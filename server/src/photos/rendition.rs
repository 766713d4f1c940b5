//! Decoding within bounds, and renditions: upright, small, newly encoded.
//!
//! A rendition is made of pixels alone, so nothing a camera wrote beside them survives in it.
//! Everything here computes for long: call it in the `Darkroom` only.

use std::io::Cursor;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use xiangyi_proto::limits::{PHOTO_PIXELS_MAX, PHOTO_SIDE_MAX, THUMB_BYTES_MAX};
use xiangyi_proto::photo::{Mime, Rendition};

/// Bytes a decoder may take for one picture.
const DECODE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Quality of a rendition for a screen.
const VIEW_QUALITY: u8 = 80;
/// Qualities tried for a list, best first; then the picture gets smaller.
const THUMB_QUALITIES: [u8; 6] = [75, 60, 45, 30, 20, 10];
/// Long edges tried for a list; noise of 64 pixels at the lowest quality has 3 KB.
const THUMB_EDGES: [u32; 4] = [320, 200, 120, 64];

/// The bytes are no picture, or one beyond the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecodable;

/// What one decoding gives: the upright size and both renditions, as JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Developed {
    pub width: u32,
    pub height: u32,
    pub renditions: [(Rendition, Vec<u8>); 2],
}

/// Decodes a picture to the end, once, and makes everything that is made of it.
pub fn develop(bytes: &[u8], mime: Mime) -> Result<Developed, Undecodable> {
    let stored = decoded(bytes, mime)?;
    let turned = orientation(bytes, mime);
    let (width, height) = match stored.dimensions() {
        (width, height) if lies_down(turned) => (height, width),
        upright => upright,
    };
    let mut view = DynamicImage::ImageRgb8(fitted(stored, Rendition::View.long_edge())?);
    view.apply_orientation(turned);
    let view = view.into_rgb8();
    let screen = encoded(&view, VIEW_QUALITY)?;
    let list = thumb(view)?;
    Ok(Developed {
        width,
        height,
        renditions: [(Rendition::Thumb, list), (Rendition::View, screen)],
    })
}

/// A rendition for a list, never longer than its bound: twenty of them load in 32 s at 40 kbit/s.
fn thumb(view: RgbImage) -> Result<Vec<u8>, Undecodable> {
    let mut picture = view;
    for edge in THUMB_EDGES {
        picture = fitted(picture, edge)?;
        for quality in THUMB_QUALITIES {
            let list = encoded(&picture, quality)?;
            if list.len() <= THUMB_BYTES_MAX {
                return Ok(list);
            }
        }
    }
    Err(Undecodable)
}

const fn format_of(mime: Mime) -> ImageFormat {
    match mime {
        Mime::Jpeg => ImageFormat::Jpeg,
        Mime::Png => ImageFormat::Png,
        Mime::Webp => ImageFormat::WebP,
    }
}

/// A picture within the bounds, as it lies.
pub fn decoded(bytes: &[u8], mime: Mime) -> Result<RgbImage, Undecodable> {
    let reader = || ImageReader::with_format(Cursor::new(bytes), format_of(mime));
    // The head alone says how large the picture is; a bomb is refused here.
    let (width, height) = reader().into_dimensions().map_err(|_| Undecodable)?;
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > PHOTO_SIDE_MAX || pixels > PHOTO_PIXELS_MAX || pixels == 0 {
        return Err(Undecodable);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(PHOTO_SIDE_MAX);
    limits.max_image_height = Some(PHOTO_SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    let mut reader = reader();
    reader.limits(limits);
    let picture = reader.decode().map_err(|_| Undecodable)?;
    Ok(picture.into_rgb8())
}

/// How the camera was held; a picture that does not say is upright.
fn orientation(bytes: &[u8], mime: Mime) -> Orientation {
    let reader = ImageReader::with_format(Cursor::new(bytes), format_of(mime));
    let turned = reader
        .into_decoder()
        .and_then(|mut decoder| decoder.orientation());
    turned.unwrap_or(Orientation::NoTransforms)
}

const fn lies_down(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Brings the longer side down to an edge; never enlarges.
fn fitted(picture: RgbImage, edge: u32) -> Result<RgbImage, Undecodable> {
    let (width, height) = picture.dimensions();
    let long = width.max(height);
    if long <= edge {
        return Ok(picture);
    }
    let side = |pixels: u32| {
        let scaled = (u64::from(pixels) * u64::from(edge) + u64::from(long) / 2) / u64::from(long);
        u32::try_from(scaled).unwrap_or(edge).max(1)
    };
    let mut small = RgbImage::new(side(width), side(height));
    // A third of Lanczos's work, and as sharp where a picture only gets smaller.
    let how = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Hamming));
    Resizer::new()
        .resize(&picture, &mut small, &how)
        .map_err(|_| Undecodable)?;
    Ok(small)
}

/// A picture as JPEG with halved colour, as cameras write it.
pub fn encoded(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Undecodable> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| Undecodable);
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(picture.as_raw(), width, height, ColorType::Rgb)
        .map_err(|_| Undecodable)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIF: &[u8] = include_bytes!("../../../tests/data/photos/exif-courtyard.jpg");
    const PLAIN: &[u8] = include_bytes!("../../../tests/data/photos/village-room.jpg");
    const GREY: &[u8] = include_bytes!("../../../tests/data/photos/notice-board-grey.jpg");
    const PNG: &[u8] = include_bytes!("../../../tests/data/photos/sketch.png");
    const WEBP: &[u8] = include_bytes!("../../../tests/data/photos/terrace.webp");
    const BOMB: &[u8] = include_bytes!("../../../tests/data/photos/bomb.png");
    const TEXT: &[u8] = include_bytes!("../../../tests/data/photos/not-a-photo.jpg");

    fn holds(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    fn mean(picture: &RgbImage, rows: std::ops::Range<u32>) -> u64 {
        let rows: Vec<u32> = rows.collect();
        let pixels = rows.iter().flat_map(|y| {
            let row = (0..picture.width()).map(|x| u64::from(picture.get_pixel(x, *y).0[1]));
            row.collect::<Vec<u64>>()
        });
        pixels.sum::<u64>() / (rows.len() as u64 * u64::from(picture.width()))
    }

    #[test]
    fn renditions_stand_upright_and_carry_no_metadata() {
        assert!(holds(EXIF, b"Exif") && holds(EXIF, b"CANARY-ARTIST-7731"));
        let made = develop(EXIF, Mime::Jpeg).expect("a picture").renditions;
        let sizes = [(240, 320), (1_200, 1_600)];
        for ((rendition, bytes), size) in made.iter().zip(sizes) {
            assert!(!holds(bytes, b"Exif") && !holds(bytes, b"CANARY"));
            let picture = decoded(bytes, Mime::Jpeg).expect("a picture");
            assert_eq!(picture.dimensions(), size, "{rendition:?}");
            let height = picture.height();
            assert!(mean(&picture, 0..height / 4) > 120);
            assert!(mean(&picture, height * 3 / 4..height) < 120);
        }
        assert!(made[0].1.len() <= THUMB_BYTES_MAX);
    }

    #[test]
    fn a_rendition_for_a_list_is_small_even_of_noise() {
        let mut state = 7_u32;
        let noise = RgbImage::from_fn(640, 640, |_, _| {
            let mut byte = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            image::Rgb([byte(), byte(), byte()])
        });
        let jpeg = encoded(&noise, 90).expect("encoded");
        let made = develop(&jpeg, Mime::Jpeg).expect("a picture").renditions;
        assert!(made[0].1.len() <= THUMB_BYTES_MAX, "{}", made[0].1.len());
        let small = decoded(&made[0].1, Mime::Jpeg).expect("a picture");
        assert!(small.width() >= 64 && small.width() == small.height());
    }

    fn measure(bytes: &[u8], mime: Mime) -> Result<(u32, u32), Undecodable> {
        develop(bytes, mime).map(|made| (made.width, made.height))
    }

    #[test]
    fn every_type_becomes_two_jpegs_and_none_is_enlarged() {
        for (bytes, mime, size) in [
            (PLAIN, Mime::Jpeg, (1_600, 1_200)),
            (GREY, Mime::Jpeg, (1_200, 1_600)),
            (PNG, Mime::Png, (480, 360)),
            (WEBP, Mime::Webp, (1_600, 1_200)),
        ] {
            assert_eq!(measure(bytes, mime), Ok(size));
            let made = develop(bytes, mime).expect("a picture").renditions;
            assert_eq!(measure(&made[1].1, Mime::Jpeg), Ok(size));
        }
        assert_eq!(measure(EXIF, Mime::Jpeg), Ok((1_200, 1_600)));
    }

    #[test]
    fn bombs_and_strangers_are_refused() {
        assert_eq!(measure(BOMB, Mime::Png), Err(Undecodable));
        assert_eq!(measure(TEXT, Mime::Jpeg), Err(Undecodable));
        assert_eq!(measure(PNG, Mime::Jpeg), Err(Undecodable));
        assert_eq!(measure(b"", Mime::Webp), Err(Undecodable));
    }
}
