//! Problems: one closed list of codes with status, whether to repeat, and words.
//!
//! The words say what happened and what to do next, Chinese first. Nothing internal is told.

use serde::{Deserialize, Serialize};

use crate::verdict::FieldError;

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    pub name: &'static str,
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retry: bool,
    pub zh: &'static str,
    pub en: &'static str,
}

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $retry:literal $zh:literal $en:literal;)*) => {
        $(#[doc = $en] pub const $ident: Code = Code {
            name: $name, status: $status, retry: $retry, zh: $zh, en: $en,
        };)*
        /// Every code of a whole request.
        pub const CODES: &[Code] = &[$($ident,)*];
    };
}

codes! {
    MALFORMED_JSON "malformed-json" 400 false
        "请求不是完整的 JSON，请检查后重发。" "The request is not complete JSON. Check it and send it again.";
    NOT_UTF8 "not-utf8" 400 false
        "请求文字不是 UTF-8 编码。" "The request is not UTF-8 text.";
    TOO_DEEP "too-deep" 400 false
        "请求嵌套层数太多。" "The request is nested too deeply.";
    TOO_LARGE "too-large" 413 false
        "请求太大，请分成几次发送。" "The request is too large. Send it in several parts.";
    INFLATE_RATIO "inflate-ratio" 413 false
        "压缩内容展开后过大，已拒绝。" "The compressed body inflates too far and was refused.";
    UNSUPPORTED_ENCODING "unsupported-encoding" 415 false
        "不支持这种压缩方式，请用 gzip、zstd 或不压缩。" "This encoding is not supported. Use gzip, zstd or none.";
    UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" 415 false
        "请用 application/json 发送。" "Send application/json.";
    UNSUPPORTED_PROTOCOL "unsupported-protocol" 400 false
        "协议版本不对，请更新应用；手机上的记录都在。" "This protocol version is not spoken here. Update the app; your records stay on the phone.";
    INVALID_ENVELOPE "invalid-envelope" 422 false
        "请求的格式不对，见 errors。" "The envelope is not as it should be; see errors.";
    TOO_MANY_ITEMS "too-many-items" 413 false
        "一次发送的条数太多，请分批。" "Too many items at once. Send them in batches.";
    UNAUTHORIZED "unauthorized" 401 false
        "请先登录。" "Please sign in.";
    TOKEN_EXPIRED "token-expired" 401 false
        "登录已过期，请刷新或重新登录。" "The session has expired. Refresh it or sign in again.";
    FORBIDDEN "forbidden" 403 false
        "您没有做这件事的权限，请联系县社工总站。" "You have no right to do this. Ask the county hub.";
    NOT_FOUND "not-found" 404 false
        "没有找到，或者不在您的范围内。" "Not found, or not within your view.";
    METHOD_NOT_ALLOWED "method-not-allowed" 405 false
        "这个地址不支持这种方法。" "This address does not take that method.";
    DEVICE_UNKNOWN "device-unknown" 403 false
        "这台手机还没有登记，请重新登记设备。" "This device is not registered for you. Register it again.";
    DEVICE_FORKED "device-forked" 409 false
        "这台手机的存储像是被复制或恢复过。请重新登记设备，未上传的记录会重新编号发送。" "This phone's storage looks copied or restored. Register again; what is unsent gets new numbers.";
    DEVICE_REVOKED "device-revoked" 403 false
        "这台设备已停用，不能再拉取。请联系县社工总站。" "This device has been revoked and cannot pull. Ask the county hub.";
    CURSOR_INVALID "cursor-invalid" 400 false
        "同步位置无法识别，请从头拉取；未上传的记录不受影响。" "The cursor is not valid. Pull from the beginning; what is unsent is not touched.";
    KEY_REQUIRED "key-required" 400 false
        "写入需要 Idempotency-Key。" "A write needs an Idempotency-Key.";
    KEY_REUSED "key-reused" 409 false
        "同一个 Idempotency-Key 用在了不同内容上。" "This Idempotency-Key was used for another body.";
    CSRF_REQUIRED "csrf-required" 403 false
        "用浏览器登录时写入需要 X-Xiangyi-CSRF。" "A write by cookie needs the header X-Xiangyi-CSRF.";
    THROTTLED "throttled" 429 true
        "尝试太频繁，请稍等再试。" "Too many tries. Wait a little and try again.";
    HELD_FULL "held-full" 429 true
        "您有太多记录还在等待处理，这条先留在手机上，等前面的有了结果会再发送。" "Too many of your records still wait for an answer. This one stays on the phone and is sent again when some have ended.";
    EPOCH_CHANGED "epoch-changed" 409 true
        "服务器从备份恢复过，请把之后的记录连同凭证再发一次。" "The server came back from a backup. Send what was answered since once more, with its proofs.";
    SIGN_IN_FAILED "sign-in-failed" 401 false
        "电话号码或密码不对，请检查后再试。" "The telephone number or the password is not right. Check them and try again.";
    REFRESH_REUSED "refresh-reused" 401 false
        "这个登录凭证已被用过，为安全起见请重新登录。" "This refresh token was already replaced. For safety, sign in again.";
    PHOTO_TOO_LARGE "photo-too-large" 413 false
        "照片太大，请压缩后再传。" "The photograph is too large. Compress it and send it again.";
    PHOTO_HASH_MISMATCH "photo-hash-mismatch" 460 false
        "照片内容与登记的不一致，请重新上传这张照片。" "The photograph's bytes are not those that were announced. Upload it again.";
    PHOTO_TYPE "photo-type" 415 false
        "只接受 JPEG、PNG 或 WebP 照片。" "Only JPEG, PNG and WebP photographs are taken.";
    PHOTO_UNDECODABLE "photo-undecodable" 422 false
        "照片打不开，可能不完整，请重新拍摄或选择。" "The photograph cannot be opened; it may be cut short. Take or choose it again.";
    UPLOAD_OFFSET "upload-offset" 409 true
        "续传位置不对，请先查询已传到哪里。" "The offset does not fit. Ask how far the upload has come.";
    UPLOAD_GONE "upload-gone" 410 false
        "这次上传已过期，请重新开始上传；照片还在手机上。" "This upload has expired. Start it again; the photograph is on your phone.";
    UPLOAD_LOCKED "upload-locked" 423 true
        "这张照片正在另一处上传。" "This photograph is being uploaded elsewhere right now.";
    UPLOAD_QUOTA "upload-quota" 429 true
        "正在上传和近一天上传的照片已到上限，稍后会接着传；照片还在手机上。" "So many photographs are under way or were sent today that this one waits. It stays on your phone.";
    UPLOAD_CHECKSUM "upload-checksum" 460 true
        "这一段照片在路上传错了，请从原来的位置再传一次。" "This part of the photograph was garbled on its way. Send it again from the same offset.";
    UPLOAD_PROTOCOL "upload-protocol" 412 false
        "需要 Tus-Resumable: 1.0.0。" "The header Tus-Resumable: 1.0.0 is needed.";
    INVALID_PARAMETER "invalid-parameter" 400 false
        "查询参数不对，见 errors。" "A query parameter is not as it should be; see errors.";
    BUSY "busy" 503 true
        "服务器正忙，记录都在手机上，稍后会自动重发。" "The server is busy. Your records are on the phone and will be sent again.";
    SERVER_FAULT "server-fault" 500 true
        "服务器出错，已记录。手机上的记录不会丢。" "The server failed and has noted it. Nothing on your phone is lost.";
    TIMEOUT "timeout" 408 true
        "接收太慢，已中断，请重试。" "The request came too slowly and was cut. Try again.";
    CONFLICT "conflict" 409 false
        "记录已被别人改过，请看两边的内容再决定。" "The record was changed meanwhile. Look at both and decide.";
    PACK_UNSOUND "pack-unsound" 422 false
        "规则包不可用，见 errors。" "The rule pack is not sound; see errors.";
    PACK_VERSION "pack-version" 409 false
        "版本号必须大于已发布的和已提出的版本；发布的须是读过的那一份。" "The version must be above those that are published or proposed, and what is published is what was read.";
    PACK_SIGNATURE "pack-signature" 422 false
        "规则包的签名不对，或签名人不在信任名单。" "The pack's signature does not fit, or its signer is not trusted here.";
    SECOND_PERSON "second-person" 409 false
        "规则包要由另一个人发布；提出的人不能自己发布。" "Another person must publish the pack; whoever proposed it cannot.";
    WHAT_IF_BUSY "what-if-busy" 429 true
        "正在试算另一份规则包，请等它算完再试。" "Another rule pack is being tried out. Try again when it is done.";
    SECOND_FACTOR "second-factor" 401 false
        "请输入身份验证器上的六位数字。" "Enter the six digits of your authenticator app.";
    SECOND_FACTOR_NEEDED "second-factor-needed" 403 false
        "您的岗位要先设置第二重验证，再使用其他功能。" "Your role needs a second factor. Set one up first.";
    SECOND_FACTOR_SET "second-factor-set" 409 false
        "已经设置了第二重验证；要换新的，请先取消。" "A second factor is set up already. Take it away first.";
    WECHAT_CODE "wechat-code" 401 false
        "微信登录码无效或已用过，请重新打开小程序再试。" "This code of WeChat is none or was used. Open the mini-program again.";
    WECHAT_UNBOUND "wechat-unbound" 403 false
        "这个微信还没有绑定账号，请用手机号登录一次，或授权手机号。" "No account is bound to this WeChat user. Sign in by telephone once, or let out your number.";
    WECHAT_BOUND "wechat-bound" 409 false
        "这个微信或这个账号已经绑定了另一方，请先解除绑定。" "This WeChat user or this account is bound to another. Unbind it first.";
    WECHAT_BLOCKED "wechat-blocked" 403 false
        "微信限制了这个用户，请用手机号和密码登录。" "WeChat has blocked this user. Sign in by telephone and password.";
    WECHAT_SILENT "wechat-silent" 503 true
        "微信暂时没有答复，请稍后再试，或用手机号登录。" "WeChat does not answer. Try again soon, or sign in by telephone.";
    RECORD_REJECTED "record-rejected" 422 false
        "这条记录不能作为服务记录，见说明。" "This cannot stand as a service record; see the verdict.";
    RECORD_INVALID "record-invalid" 422 false
        "记录的内容有误，见 errors。" "The record is not as it should be; see errors.";
}

/// Codes of single fields and items: (code, Chinese, English).
pub const FIELD_CODES: &[(&str, &str, &str)] = &[
    ("required", "这一项必须填写。", "This must be given."),
    (
        "wrong-type",
        "这一项的类型不对。",
        "This has the wrong type.",
    ),
    (
        "out-of-range",
        "数值超出范围。",
        "The number is out of range.",
    ),
    ("too-long", "内容太长。", "This is too long."),
    ("list-too-long", "条目太多。", "There are too many entries."),
    (
        "bad-text",
        "文字里有无法保存的字符，请删去重写。",
        "The text holds a character that cannot be kept. Take it out.",
    ),
    ("unknown-code", "不认识的选项。", "This code is not known."),
    (
        "unknown-kind",
        "不认识的记录种类，请更新应用。",
        "This kind of record is not known here.",
    ),
    ("unknown-field", "没有这个字段。", "There is no such field."),
    (
        "read-only-field",
        "这一项由系统填写。",
        "This is filled in by the server.",
    ),
    (
        "fixed-field",
        "这一项建立后不能修改。",
        "This cannot change after creation.",
    ),
    (
        "id-taken",
        "编号已被使用，请换新编号。",
        "This id is taken. Use a new one.",
    ),
    ("bad-id", "编号格式不对。", "This is not an id."),
    (
        "bad-date",
        "日期不对，应为 年-月-日。",
        "This is not a date (YYYY-MM-DD).",
    ),
    ("bad-region", "区划代码不对。", "This is not a region code."),
    (
        "village-outside-unit",
        "村（居）不在这个单位的范围内。",
        "The village lies outside this unit.",
    ),
    (
        "fix-zero",
        "坐标是 0,0，请重新定位或选择村。",
        "The fix is 0,0. Locate again or choose the village.",
    ),
    (
        "fix-swapped",
        "经纬度像是颠倒了。",
        "Latitude and longitude look swapped.",
    ),
    (
        "fix-outside",
        "坐标不在国内。",
        "The fix lies outside the country.",
    ),
    (
        "op-not-allowed",
        "这种记录不支持这个操作。",
        "This kind does not take that operation.",
    ),
    ("time-range", "时间不合理。", "The time is not plausible."),
    (
        "ends-before-start",
        "结束时间早于开始时间。",
        "It ends before it begins.",
    ),
    (
        "duplicate-number",
        "编号重复。",
        "This number occurs twice.",
    ),
    (
        "pack-fault",
        "规则包的这一处不能用，说明见英文。",
        "This place of the rule pack cannot be used.",
    ),
    (
        "password-short",
        "密码至少要十位。",
        "A password has at least ten characters.",
    ),
    (
        "password-guessable",
        "这个密码太容易猜到，请换一个。",
        "This password is easily guessed. Take another.",
    ),
    ("unit-unknown", "没有这个单位。", "There is no such unit."),
    (
        "bad-url",
        "网址不能用：要以 https:// 开头，指向公开的服务器；县里自己的系统请管理员先登记主机和端口。",
        "This address cannot be used: it begins with https:// and leads to a public server; systems of the county's own are named by the operator first, by host and port.",
    ),
    ("same-unit", "新单位就是原单位。", "This is the same unit."),
    ("same-person", "这是同一条登记。", "This is the same entry."),
    (
        "merged-already",
        "这条登记已并入另一人。",
        "This entry was merged into somebody else.",
    ),
    ("day-passed", "这一天已经过了。", "This day has passed."),
    (
        "not-serving",
        "此人不在那里做社工，或就是同一个人。",
        "This person does not serve there, or is the same.",
    ),
    (
        "not-in-charge",
        "此人现在不负责这位服务对象。",
        "This client is not this person's now.",
    ),
];

/// The words of a field fault: Chinese, English.
pub fn field_words(code: &str) -> (&'static str, &'static str) {
    let found = FIELD_CODES.iter().find(|(name, ..)| *name == code);
    found.map_or(("", ""), |(_, zh, en)| (*zh, *en))
}

/// A failed request as RFC 9457 tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:xiangyi:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub detail_en: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub verdict: Option<serde_json::Value>,
    #[serde(default)]
    pub request_id: String,
}

#[cfg(test)]
mod tests {
    use super::{CODES, FIELD_CODES};
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_there_once_and_has_words() {
        let names: BTreeSet<&str> = CODES
            .iter()
            .map(|code| code.name)
            .chain(FIELD_CODES.iter().map(|(name, ..)| *name))
            .collect();
        assert_eq!(names.len(), CODES.len() + FIELD_CODES.len());
        assert!(
            CODES
                .iter()
                .all(|code| !code.zh.is_empty() && !code.en.is_empty())
        );
        assert!(CODES.iter().all(|code| (400..600).contains(&code.status)));
    }
}
