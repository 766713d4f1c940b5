//! The closed list of failures of whole requests, each with status, retry and words.

macro_rules! codes {
    ($($code:ident $name:literal $status:literal $retry:literal $title:literal
       $zh:literal $en:literal;)*) => {
        /// Why a request failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($code,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The stable name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status,)* }
            }

            /// Says whether the same request may succeed later.
            pub const fn retry(self) -> bool {
                match self { $(Self::$code => $retry,)* }
            }

            /// A few words in Chinese.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// What happened and what to do next, in Chinese.
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$code => $zh,)* }
            }

            /// The same in English.
            pub const fn en(self) -> &'static str {
                match self { $(Self::$code => $en,)* }
            }
        }
    };
}

impl Code {
    /// The code of a wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

codes! {
    MalformedJson "malformed-json" 400 false "不是有效的 JSON"
        "请求内容不是完整的 JSON。请原样重发；若再次出现，请更新应用。"
        "The body is not complete JSON. Send it again as it is; if this repeats, update the app.";
    NotUtf8 "not-utf8" 400 false "文字编码不对"
        "请求内容不是 UTF-8 编码。请更新应用后重发。"
        "The body is not UTF-8 text. Update the app, then send it again.";
    TooDeep "too-deep" 400 false "层次过深"
        "请求内容的嵌套层次超过上限。请更新应用。"
        "The JSON is nested deeper than the limit. Update the app.";
    TooLarge "too-large" 413 false "内容过大"
        "请求内容超过大小上限。请分成较小的几批发送，手机上的记录不会丢失。"
        "The body is larger than the limit. Send it in smaller parts; nothing on the \
         phone is lost.";
    InflateRatio "inflate-ratio" 413 false "压缩比异常"
        "压缩内容展开后大得异常，没有处理。请不压缩重发。"
        "The compressed body grows far too much and was not read. Send it uncompressed.";
    UnsupportedEncoding "unsupported-encoding" 415 false "不支持的压缩方式"
        "服务器不认识这种压缩方式。请用 gzip 或不压缩。"
        "The server does not know this content encoding. Use gzip or none.";
    UnsupportedMediaType "unsupported-media-type" 415 false "不支持的内容类型"
        "这里需要 JSON 内容（application/json）。"
        "This address takes JSON (application/json).";
    UnsupportedProtocol "unsupported-protocol" 400 false "协议版本不支持"
        "应用使用的同步协议版本服务器不认识。请更新应用，手机上的记录不会丢失。"
        "The server does not speak this protocol version. Update the app; nothing on the \
         phone is lost.";
    InvalidEnvelope "invalid-envelope" 400 false "请求结构不对"
        "请求缺少必要的部分或类型不对，详见 errors。"
        "Parts of the request are missing or of a wrong type; see errors.";
    TooManyItems "too-many-items" 413 false "条目过多"
        "一次发送的条目超过上限。请分批发送。"
        "There are more items than one request may carry. Send them in several requests.";
    Unauthorized "unauthorized" 401 false "请先登录"
        "没有有效的登录凭证。请重新登录，手机上的记录不会丢失。"
        "There is no valid sign-in. Sign in again; nothing on the phone is lost.";
    TokenExpired "token-expired" 401 false "登录已过期"
        "访问凭证已过期。应用会自动续期；若不行，请重新登录。"
        "The access token has expired. Refresh it, or sign in again.";
    Forbidden "forbidden" 403 false "没有权限"
        "您目前没有做这项操作的权限。请联系站长或县社工总站核对授权。"
        "You have no right to do this now. Ask your station lead or the county hub to \
         check your grant.";
    NotFound "not-found" 404 false "没有找到"
        "没有找到您要的内容，或您无权查看。"
        "There is nothing here, or nothing that you may see.";
    MethodNotAllowed "method-not-allowed" 405 false "方法不适用"
        "这个地址不接受这种请求方法。"
        "This address does not take that method.";
    DeviceUnknown "device-unknown" 404 false "设备未登记"
        "服务器没有登记这台设备。请重新登记设备，手机上的记录不会丢失。"
        "This device is not registered for you. Register it again; nothing on the phone is lost.";
    DeviceForked "device-forked" 409 false "设备编号重复使用"
        "同一设备编号下出现了不同的内容，可能是手机数据被复制或恢复过。请重新登记设备后再发送，记录不会丢失。"
        "The same device and number came with other content: storage was copied or \
         restored. Register a new device and send again; nothing is lost.";
    DeviceRevoked "device-revoked" 403 false "设备已停用"
        "这台设备已停用，不能再接收内容。未发送的记录三十天内仍可上传。"
        "This device has been revoked and receives nothing more. Unsent records may still \
         be uploaded for thirty days.";
    CursorInvalid "cursor-invalid" 400 false "同步位置无效"
        "同步位置不能识别。请清除同步位置后重新同步，未发送的记录不受影响。"
        "The cursor is not one of this server. Drop it and pull anew; unsent records are \
         not affected.";
    KeyRequired "key-required" 400 false "缺少幂等键"
        "写入需要 Idempotency-Key 请求头。请更新应用。"
        "Writes need an Idempotency-Key header. Update the app.";
    KeyReused "key-reused" 409 false "幂等键重复使用"
        "同一个 Idempotency-Key 之前用于不同的内容。请换一个键。"
        "This Idempotency-Key was used for other content before. Use a new key.";
    CsrfRequired "csrf-required" 403 false "缺少防伪请求头"
        "通过网页登录的写操作需要 X-Xiangyi-CSRF 请求头。请刷新页面。"
        "Writes with a cookie need the X-Xiangyi-CSRF header. Reload the page.";
    Throttled "throttled" 429 true "请稍等再试"
        "尝试太频繁，请按提示的时间稍等再试。账号没有被锁。"
        "Too many attempts. Wait for the time given and try again; the account is not locked.";
    SignInFailed "sign-in-failed" 401 false "登录没有成功"
        "手机号或密码不对。请核对后再试，或请站长帮助。"
        "The telephone or the password is not right. Check them, or ask your station lead.";
    RefreshReused "refresh-reused" 401 false "请重新登录"
        "这次登录的续期凭证被用过两次，为安全起见已退出。请重新登录，手机上的记录不会丢失。"
        "A refresh token of this session was used twice, so the session was ended. Sign \
         in again; nothing on the phone is lost.";
    PhotoTooLarge "photo-too-large" 413 false "照片过大"
        "照片超过大小上限。请用应用压缩后再传。"
        "The photograph is larger than the limit. Let the app compress it, then send it again.";
    PhotoHashMismatch "photo-hash-mismatch" 422 false "照片校验不符"
        "收到的照片与登记的校验值不同，可能传输出错。请重新上传。"
        "What arrived differs from the announced hash. Upload the photograph again.";
    PhotoType "photo-type" 415 false "照片格式不支持"
        "只接受 JPEG、PNG 或 WebP 照片，且内容须与所称格式一致。"
        "Photographs are JPEG, PNG or WebP, and must be what they say they are.";
    PhotoUndecodable "photo-undecodable" 422 false "照片打不开"
        "照片已损坏或过大，无法打开。请重新拍摄或选择另一张。"
        "The photograph is damaged or too large to open. Take or choose another.";
    UploadOffset "upload-offset" 409 false "续传位置不符"
        "续传的位置与服务器不一致。请先查询位置再续传。"
        "The offset differs from the server's. Ask for the offset and go on from there.";
    UploadGone "upload-gone" 410 false "上传已失效"
        "这次上传已过期或已完成。请重新开始上传。"
        "This upload has expired or is complete. Start a new one.";
    UploadLocked "upload-locked" 423 true "上传进行中"
        "同一上传正在另一个连接中进行。请稍后再试。"
        "This upload is being written by another connection. Try again shortly.";
    Busy "busy" 503 true "服务器忙"
        "服务器一时忙不过来，没有处理这次请求。请稍后重试，手机上的记录不会丢失。"
        "The server is busy and did nothing. Try again shortly; nothing on the phone is lost.";
    ServerFault "server-fault" 500 true "服务器出错"
        "服务器出错，没有处理这次请求。请稍后重试；若反复出现，请把请求编号告诉管理员。"
        "The server failed and did nothing. Try again later; if it repeats, give the \
         request id to the operator.";
    Timeout "timeout" 503 true "处理超时"
        "请求没有在规定时间内完成。请稍后重试。"
        "The request did not finish in time. Try again later.";
    Conflict "conflict" 409 false "内容已有变化"
        "这条记录在您修改期间已被别人改动。请查看最新内容后再决定。"
        "The record changed while you were editing it. Look at the newest state, then decide.";
    RecordRejected "record-rejected" 422 false "记录未被接受"
        "这条记录不能作为服务记录，原因和依据见判定结果。可以拆分、另存为工时或申诉。"
        "This cannot stand as a service record; the verdict names the rule. Split it, re- \
         file it as working time, or appeal.";
    RecordInvalid "record-invalid" 422 false "记录填写有误"
        "记录中有填写不对的地方，详见 errors。请更正后重新提交。"
        "Some fields are not right; see errors. Correct them and send again.";
}
