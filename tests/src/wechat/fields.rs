//! What each kind of field of a subscription message may hold (订阅消息参数值内容限制说明).
//!
//! A field is named by its kind and a number: `thing1`, `time3`, `character_string7`.

/// Whether the field `name` may hold `value`.
pub(super) fn fits(name: &str, value: &str) -> bool {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if value.is_empty() || value.chars().any(char::is_control) {
        return false;
    }
    let within = |most| value.chars().count() <= most;
    match kind {
        "thing" => within(20),
        "number" => within(32) && is_number(value),
        "letter" => within(32) && value.chars().all(|c| c.is_ascii_alphabetic()),
        "symbol" => within(5) && !value.chars().any(char::is_alphanumeric),
        "character_string" => within(32) && value.chars().all(|c| !is_han(c)),
        "time" => value.split('~').all(is_time) && value.split('~').count() <= 2,
        "date" => value.split('~').all(is_date) && value.split('~').count() <= 2,
        "amount" => is_amount(value),
        "phone_number" => within(17) && value.chars().all(|c| !c.is_alphabetic()),
        "car_number" => within(8),
        "name" => is_name(value),
        "phrase" => within(5) && value.chars().all(is_han),
        _ => false,
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Digits, with a fraction if need be.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// One currency sign and at most ten digits; `元` may stand at the end.
fn is_amount(text: &str) -> bool {
    let text = text.strip_suffix('元').unwrap_or(text);
    let figure = text.trim_start_matches(['¥', '￥', '$', '€', '£']);
    let signs = text.chars().count() - figure.chars().count();
    let digits = figure.bytes().filter(u8::is_ascii_digit).count();
    signs <= 1 && digits <= 10 && is_number(figure)
}

/// Ten characters where one is Chinese, else twenty; no digits.
fn is_name(text: &str) -> bool {
    let most = if text.chars().any(is_han) { 10 } else { 20 };
    text.chars().count() <= most && !text.chars().any(char::is_numeric)
}

/// `15:01`, or a day before it.
fn is_time(text: &str) -> bool {
    match text.trim().rsplit_once(' ') {
        Some((day, clock)) => is_day(day) && is_clock(clock),
        None => is_clock(text.trim()),
    }
}

/// `2019年10月1日`, or a clock time behind it.
fn is_date(text: &str) -> bool {
    match text.trim().rsplit_once(' ') {
        Some((day, clock)) => is_day(day) && is_clock(clock),
        None => is_day(text.trim()),
    }
}

fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let tops = [23_u32, 59, 59];
    let fits = |(part, top): (&&str, &u32)| {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits && part.parse::<u32>().is_ok_and(|number| number <= *top)
    };
    (2..=3).contains(&parts.len()) && parts.iter().zip(&tops).all(fits)
}

fn is_day(text: &str) -> bool {
    let number = |part: &str, tops: std::ops::RangeInclusive<u32>| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits
            && part
                .parse::<u32>()
                .is_ok_and(|number| tops.contains(&number))
    };
    let parts = text.trim().strip_suffix('日').and_then(|rest| {
        let (year, rest) = rest.split_once('年')?;
        let (month, day) = rest.split_once('月')?;
        Some((year, month, day))
    });
    parts.is_some_and(|(year, month, day)| {
        number(year, 1900..=9999) && number(month, 1..=12) && number(day, 1..=31)
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    /// Field, value, whether it is taken.
    const ROWS: &[(&str, &str, bool)] = &[
        ("thing1", "邻里互助站周六理发二十人一二三四五六七八", true),
        (
            "thing1",
            "邻里互助站周六理发二十人一二三四五六七八九",
            false,
        ),
        ("thing1", "第一行\n第二行", false),
        ("thing1", "", false),
        ("number2", "12", true),
        ("number2", "12.5", true),
        ("number2", "十二", false),
        ("number2", "123456789012345678901234567890123", false),
        ("letter1", "abc", true),
        ("letter1", "a1", false),
        ("symbol1", "!?", true),
        ("symbol1", "!?!?!?", false),
        ("character_string3", "XY-2026/0115", true),
        ("character_string3", "编号12", false),
        (
            "character_string3",
            "123456789012345678901234567890123",
            false,
        ),
        ("time4", "15:01", true),
        ("time4", "2019年10月1日 15:01", true),
        ("time4", "2019年10月1日 15:01~2019年10月1日 16:30", true),
        ("time4", "15:01~16:00~17:00", false),
        ("time4", "25:01", false),
        ("time4", "明天下午", false),
        ("date5", "2019年10月1日", true),
        ("date5", "2019年10月1日 15:01", true),
        ("date5", "2019年13月1日", false),
        ("date5", "15:01", false),
        ("amount6", "¥12.50", true),
        ("amount6", "100元", true),
        ("amount6", "12345678901", false),
        ("phone_number7", "+86-0766-66888866", true),
        ("phone_number7", "+86-0766-668888660", false),
        ("car_number8", "粤A8Z888挂", true),
        ("name9", "彭翠英", true),
        ("name9", "一二三四五六七八九十甲", false),
        ("name9", "Anna Maria Peng", true),
        ("phrase10", "已确认", true),
        ("phrase10", "略略略略略略", false),
        ("phrase10", "OK", false),
        ("mystery1", "x", false),
    ];

    #[test]
    fn each_kind_of_field_has_its_limits() {
        for (name, value, taken) in ROWS {
            assert_eq!(fits(name, value), *taken, "{name}: {value}");
        }
    }
}
