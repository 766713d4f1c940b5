//! Bodies: bounded, inflated under caps, checked for depth and text before anything is parsed.

use std::io::Read;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use xiangyi_proto::limits::{
    INFLATE_FREE_BYTES, INFLATE_RATIO_MAX, INFLATED_BYTES_MAX, JSON_DEPTH_MAX,
};
use xiangyi_proto::problem;

use crate::problem::ApiError;

/// The largest window of zstd, as a power of two: 2 MiB, in which the largest body fits.
const WINDOW_LOG_MAX: u32 = 21;

/// The text of a JSON body, inflated if need be.
///
/// # Errors
/// Each way in which bytes can be no acceptable JSON text has its own code.
pub fn text(headers: &HeaderMap, bytes: &Bytes) -> Result<String, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::new(problem::UNSUPPORTED_MEDIA_TYPE));
    }
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes());
    let inflated = match encoding {
        None | Some(b"identity" | b"") => bytes.to_vec(),
        Some(b"gzip" | b"x-gzip") => inflate(bytes, MultiGzDecoder::new(&**bytes))?,
        Some(b"zstd") => inflate(bytes, zstd(bytes)?)?,
        Some(_) => return Err(ApiError::new(problem::UNSUPPORTED_ENCODING)),
    };
    if inflated.len() > INFLATED_BYTES_MAX {
        return Err(ApiError::new(problem::TOO_LARGE));
    }
    let text = String::from_utf8(inflated).map_err(|_| ApiError::new(problem::NOT_UTF8))?;
    if depth(&text) > JSON_DEPTH_MAX {
        return Err(ApiError::new(problem::TOO_DEEP));
    }
    Ok(text)
}

/// A body as JSON of a known shape.
///
/// # Errors
/// When the text is none, or has another shape; the place is told, the content never.
pub fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &Bytes) -> Result<T, ApiError> {
    parse(&text(headers, bytes)?)
}

/// JSON text as a known shape.
///
/// # Errors
/// When the text is none, or has another shape; the place is told, the content never.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ApiError> {
    let mut source = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut source);
    let parsed: T = parsed.map_err(|error| {
        if error.inner().is_data() {
            let place = pointer(error.path());
            let words = error.inner().to_string();
            let named = words.split('`').nth(1).unwrap_or_default();
            let (place, code) = if words.starts_with("missing field") {
                (format!("{place}/{named}"), "required")
            } else if words.starts_with("unknown field") {
                (place, "unknown-field")
            } else {
                (place, "wrong-type")
            };
            ApiError::new(problem::INVALID_ENVELOPE).at(&place, code)
        } else {
            ApiError::new(problem::MALFORMED_JSON)
        }
    })?;
    source
        .end()
        .map_err(|_| ApiError::new(problem::MALFORMED_JSON))?;
    Ok(parsed)
}

/// The path of a parse as a JSON pointer.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// Says whether a body calls itself JSON; parameters such as a charset do not matter.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Whether a first frame asks for a larger window (RFC 8878, 3.1.1.1: the descriptor's bit 5 says
/// that the frame is its own window; else the byte behind it holds the exponent, less ten).
fn wide(bytes: &[u8]) -> bool {
    const SINGLE_SEGMENT: u8 = 1 << 5;
    match bytes {
        [0x28, 0xb5, 0x2f, 0xfd, descriptor, window, ..] => {
            let (exponent, mantissa) = (u32::from(window >> 3) + 10, window & 7);
            let larger = exponent > WINDOW_LOG_MAX || exponent == WINDOW_LOG_MAX && mantissa > 0;
            descriptor & SINGLE_SEGMENT == 0 && larger
        }
        _ => false,
    }
}

/// Opens zstd; a frame that wants a larger window than any body fills is none of ours.
fn zstd(bytes: &[u8]) -> Result<impl Read, ApiError> {
    let not_one = |_| ApiError::new(problem::MALFORMED_JSON);
    if wide(bytes) {
        return Err(ApiError::new(problem::UNSUPPORTED_ENCODING));
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(not_one)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(not_one)?;
    Ok(decoder)
}

/// Inflates a body, never past the size or the ratio that an honest one has.
fn inflate(bytes: &[u8], inflated: impl Read) -> Result<Vec<u8>, ApiError> {
    let ratio = bytes.len().saturating_mul(INFLATE_RATIO_MAX);
    let cap = ratio.clamp(INFLATE_FREE_BYTES, INFLATED_BYTES_MAX);
    let mut out = Vec::new();
    let mut bounded = inflated.take(cap as u64 + 1);
    bounded
        .read_to_end(&mut out)
        .map_err(|_| ApiError::new(problem::MALFORMED_JSON))?;
    if out.len() <= cap {
        return Ok(out);
    }
    let code = if cap == INFLATED_BYTES_MAX {
        problem::TOO_LARGE
    } else {
        problem::INFLATE_RATIO
    };
    Err(ApiError::new(code))
}

/// How deep brackets nest outside strings; the parser itself would allow 128.
fn depth(text: &str) -> usize {
    let (mut deepest, mut depth, mut in_text, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(plain).expect("memory");
        out.finish().expect("memory").into()
    }

    fn code(encoding: Option<&str>, bytes: Bytes) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            "application/json".parse().expect("a header"),
        );
        if let Some(encoding) = encoding {
            headers.insert(
                header::CONTENT_ENCODING,
                encoding.parse().expect("a header"),
            );
        }
        text(&headers, &bytes).err().map(|error| error.code.name)
    }

    #[test]
    fn bombs_depth_and_bad_text_each_have_their_code() {
        assert_eq!(code(Some("gzip"), gzip(b"{\"a\":1}")), None);
        assert_eq!(
            code(Some("gzip"), gzip(&vec![b' '; 50_000_000])),
            Some("too-large")
        );
        assert_eq!(
            code(Some("gzip"), gzip(&vec![b' '; 900_000])),
            Some("inflate-ratio")
        );
        assert_eq!(
            code(Some("br"), Bytes::from_static(b"x")),
            Some("unsupported-encoding")
        );
        assert_eq!(
            code(Some("gzip"), Bytes::from_static(b"plain")),
            Some("malformed-json")
        );
        let zstd = |plain: &[u8], level| -> Bytes {
            zstd::stream::encode_all(plain, level)
                .expect("memory")
                .into()
        };
        assert_eq!(code(Some("zstd"), zstd(b"{\"a\":1}", 3)), None);
        let bomb = zstd(&vec![b' '; 50_000_000], 3);
        assert_eq!(code(Some("zstd"), bomb), Some("inflate-ratio"));
        let wide = zstd(&vec![b' '; 50_000_000], 19);
        assert_eq!(code(Some("zstd"), wide), Some("unsupported-encoding"));
        let plain = Bytes::from_static(b"plain");
        assert_eq!(code(Some("zstd"), plain), Some("malformed-json"));
        assert_eq!(
            code(None, Bytes::from_static(b"\xff\xfe")),
            Some("not-utf8")
        );
        let deep = "[".repeat(17) + &"]".repeat(17);
        assert_eq!(code(None, deep.into()), Some("too-deep"));
        let in_text = format!("\"{}\"", "[".repeat(99));
        assert_eq!(code(None, in_text.into()), None);
    }
}
