//! What a camera wrote into a photograph, and how that fits the record that shows it.
//!
//! Only what is compared is kept: when, where, who made the device, which editor was used. A
//! finding is a reason to look and no fault; a camera that wrote nothing has none.

use std::io::Cursor;

use exif::{Exif, In, Rational, Reader, Tag, Value};
use serde::{Deserialize, Serialize};
use xiangyi_proto::time::{DAY_MS, MINUTE_MS, Millis, UTC_PLUS_8_MS, day_of_text, day_start};
use xiangyi_sync::geo::{VILLAGE_RADIUS_M, Wgs84, metres};

/// Characters of a maker's name.
const MAKER_CHARS: usize = 32;
/// What editors write into `Software`, in lower case, and the name that is told.
const EDITORS: &[(&str, &str)] = &[
    ("photoshop", "Photoshop"),
    ("lightroom", "Lightroom"),
    ("gimp", "GIMP"),
    ("snapseed", "Snapseed"),
    ("picsart", "PicsArt"),
    ("meitu", "美图"),
    ("美图", "美图"),
    ("beautycam", "美颜相机"),
    ("醒图", "醒图"),
    ("vsco", "VSCO"),
    ("remini", "Remini"),
    ("pixlr", "Pixlr"),
];

/// What is kept of what a camera wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Camera {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Millis>,
    /// Latitude and longitude × 10⁷, as devices write them: WGS-84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(i64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// An editor that is known by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<String>,
}

/// The record that shows a photograph, as far as it is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    pub from: Millis,
    pub to: Millis,
    pub village: Option<Wgs84>,
    /// Further records that show the same bytes.
    pub elsewhere: u64,
}

/// Something worth a look, with words for whoever looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    /// Kilometres, days or records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    pub message: String,
    pub message_en: String,
}

/// What a camera wrote into these bytes; nothing when it wrote nothing that is kept.
pub fn read(bytes: &[u8]) -> Option<Camera> {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    let exif = reader.read_from_container(&mut Cursor::new(bytes));
    let exif = exif
        .or_else(|error| error.distill_partial_result(|_| {}))
        .ok()?;
    let software = text(&exif, Tag::Software).map(|text| text.to_lowercase());
    let editor = software.and_then(|software| {
        let known = EDITORS.iter().find(|(part, _)| software.contains(part));
        known.map(|(_, name)| (*name).to_owned())
    });
    let maker = text(&exif, Tag::Make).filter(|maker| !maker.chars().any(char::is_control));
    let camera = Camera {
        taken_at: taken_at(&exif),
        place: place(&exif),
        maker: maker.map(|maker| maker.chars().take(MAKER_CHARS).collect()),
        editor,
    };
    (camera != Camera::default()).then_some(camera)
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let text = String::from_utf8(parts.first()?.clone()).ok()?;
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// `2026:11:20 15:02:55`, with the offset beside it; China's where there is none.
fn taken_at(exif: &Exif) -> Option<Millis> {
    let said = text(exif, Tag::DateTimeOriginal)?;
    let (day, clock) = said.split_once(' ')?;
    let day = day_start(day_of_text(&day.replace(':', "-"))?);
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let sound = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    let local = day + ((hour * 60 + minute) * 60 + second) * 1_000;
    let offset = text(exif, Tag::OffsetTimeOriginal).and_then(|said| offset(&said));
    sound.then_some(local + UTC_PLUS_8_MS - offset.unwrap_or(UTC_PLUS_8_MS))
}

/// Milliseconds of `+08:00`.
fn offset(said: &str) -> Option<i64> {
    let (sign, rest) = (said.get(..1)?, said.get(1..)?);
    let (hours, minutes) = rest.split_once(':')?;
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    let ms = (0..=14 * 60)
        .contains(&minutes)
        .then_some(minutes * MINUTE_MS)?;
    match sign {
        "+" => Some(ms),
        "-" => Some(-ms),
        _ => None,
    }
}

fn place(exif: &Exif) -> Option<(i64, i64)> {
    let lat = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90.0)?;
    let lng = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180.0)?;
    // Devices without a fix write zeros.
    (lat != 0 || lng != 0).then_some((lat, lng))
}

fn degrees(exif: &Exif, tag: Tag, side: Tag, negative: &str, most: f64) -> Option<i64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let part = |index: usize| parts.get(index).map(Rational::to_f64);
    let value = part(0)? + part(1)? / 60.0 + part(2)? / 3_600.0;
    if !value.is_finite() || !(0.0..=most).contains(&value) {
        return None;
    }
    let sign = if text(exif, side)? == negative {
        -1.0
    } else {
        1.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 1.8 billion, and finite"
    )]
    let e7 = (sign * value * 1e7).round() as i64;
    Some(e7)
}

/// What is worth a look when these are put beside each other.
pub fn findings(camera: Option<&Camera>, beside: &Beside) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(camera) = camera {
        found.extend(camera.place.and_then(|place| far(place, beside)));
        found.extend(camera.taken_at.and_then(|at| another_day(at, beside)));
        found.extend(camera.editor.as_deref().map(edited));
    }
    if beside.elsewhere > 0 {
        let records = beside.elsewhere;
        found.push(Finding {
            code: "same_file",
            amount: Some(records),
            message: format!("同一张照片还用在另外{records}条记录里；一次走访服务多人时常见。"),
            message_en: format!(
                "The same file also stands in {records} other record(s), as when one visit served \
                 several people."
            ),
        });
    }
    found
}

fn far((lat, lng): (i64, i64), beside: &Beside) -> Option<Finding> {
    let at = Wgs84 {
        lat: lat as f64 / 1e7,
        lng: lng as f64 / 1e7,
    };
    let away = metres(at, beside.village?);
    if away <= VILLAGE_RADIUS_M {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a distance on the earth"
    )]
    let km = (away / 1_000.0).round() as u64;
    Some(Finding {
        code: "taken_far",
        amount: Some(km),
        message: format!("照片里的位置离这个村约{km}公里；在镇上、县里办事时拍的也会这样。"),
        message_en: format!(
            "The place in the photograph is about {km} km from the village, as when an errand led \
             to town."
        ),
    })
}

fn another_day(at: Millis, beside: &Beside) -> Option<Finding> {
    let days = |ms: i64| u64::try_from(ms / DAY_MS).ok().filter(|days| *days > 0);
    if let Some(days) = days(beside.from - at) {
        return Some(Finding {
            code: "taken_earlier",
            amount: Some(days),
            message: format!(
                "照片里的拍摄时间比走访早{days}天；手机时间不准或补传旧照片都会这样。"
            ),
            message_en: format!(
                "The time in the photograph is {days} day(s) before the visit, as with a wrong \
                 clock or an older picture."
            ),
        });
    }
    days(at - beside.to).map(|days| Finding {
        code: "taken_later",
        amount: Some(days),
        message: format!("照片里的拍摄时间比走访晚{days}天；手机时间不准或后来补拍都会这样。"),
        message_en: format!(
            "The time in the photograph is {days} day(s) after the visit, as with a wrong clock \
             or a picture taken later."
        ),
    })
}

fn edited(editor: &str) -> Finding {
    Finding {
        code: "edited_software",
        amount: None,
        message: format!("照片经{editor}保存过；裁剪、遮住人脸也会留下这个记号。"),
        message_en: format!(
            "The photograph was saved by {editor}, as when it was cropped or a face was covered."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIF: &[u8] = include_bytes!("../../../tests/data/photos/exif-roadside.jpg");
    const PLAIN: &[u8] = include_bytes!("../../../tests/data/photos/village-room.jpg");
    const CUT: &[u8] = include_bytes!("../../../tests/data/photos/truncated.jpg");
    const TEXT: &[u8] = include_bytes!("../../../tests/data/photos/not-a-photo.jpg");

    fn beside(from: Millis) -> Beside {
        Beside {
            from,
            to: from + 3_600_000,
            village: None,
            elsewhere: 0,
        }
    }

    fn codes(found: &[Finding]) -> Vec<(&str, Option<u64>)> {
        found.iter().map(|one| (one.code, one.amount)).collect()
    }

    #[test]
    fn time_place_and_maker_are_read_and_nothing_else() {
        let camera = read(EXIF).expect("it wrote something");
        // 2026-11-20 15:02:55 in China.
        assert_eq!(camera.taken_at, Some(1_795_158_175_000));
        assert_eq!(camera.place, Some((282_468_013, 1_130_802_467)));
        assert_eq!(camera.maker.as_deref(), Some("Xiangyi Optical"));
        assert_eq!(camera.editor, None);
        let kept = serde_json::to_string(&camera).expect("JSON");
        assert!(!kept.contains("CANARY") && !kept.contains("Paddy"));
    }

    #[test]
    fn a_camera_that_wrote_nothing_has_no_finding() {
        for bytes in [PLAIN, CUT, TEXT, b""] {
            assert_eq!(read(bytes), None);
        }
        assert_eq!(findings(None, &beside(0)), []);
        assert_eq!(findings(Some(&Camera::default()), &beside(0)), []);
    }

    #[test]
    fn each_finding_has_its_amount_and_words() {
        let mut camera = read(EXIF).expect("it wrote something");
        let at = camera.taken_at.expect("a time");
        assert_eq!(findings(Some(&camera), &beside(at - 60_000)), []);
        let days = |days: i64| findings(Some(&camera), &beside(at + days * DAY_MS + 60_000));
        assert_eq!(codes(&days(3)), [("taken_earlier", Some(3))]);
        assert_eq!(codes(&days(-2)), [("taken_later", Some(1))]);
        let near = Wgs84 {
            lat: 28.25,
            lng: 113.08,
        };
        let away = Wgs84 {
            lat: 28.35,
            lng: 113.08,
        };
        let mut here = beside(at);
        here.village = Some(near);
        assert_eq!(findings(Some(&camera), &here), []);
        here.village = Some(away);
        here.elsewhere = 2;
        camera.editor = Some("GIMP".to_owned());
        let found = findings(Some(&camera), &here);
        let wanted = [
            ("taken_far", Some(11)),
            ("edited_software", None),
            ("same_file", Some(2)),
        ];
        assert_eq!(codes(&found), wanted);
        for finding in found {
            assert!(!finding.message.is_empty() && finding.message_en.is_ascii());
        }
    }

    #[test]
    fn an_offset_is_hours_and_minutes() {
        assert_eq!(offset("+08:00"), Some(UTC_PLUS_8_MS));
        assert_eq!(offset("-03:30"), Some(-(210 * MINUTE_MS)));
        for wrong in ["", "八", "+8", "+99:00", "08:00", "+-8:00"] {
            assert_eq!(offset(wrong), None, "{wrong}");
        }
    }
}
