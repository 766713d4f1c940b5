//! The closed list of what can be wrong with one field or one item, with words.
//!
//! `not-yours` reads as if nothing were there: its words never say that something is.

macro_rules! fields {
    ($($code:ident $name:literal $zh:literal $en:literal;)*) => {
        /// What is wrong with a field or an item.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FieldCode { $($code,)* }

        impl FieldCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The stable name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What is wrong and what to do, in Chinese.
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

fields! {
    Required "required"
        "这一项必填。"
        "This field is required.";
    WrongType "wrong-type"
        "这一项的类型不对。"
        "This field has the wrong type.";
    OutOfRange "out-of-range"
        "数值超出允许的范围。"
        "The number is outside the allowed range.";
    TooLong "too-long"
        "文字超过长度上限，请写短一些。"
        "The text is too long; shorten it.";
    UnknownCode "unknown-code"
        "选项不在目录中，请刷新后重新选择。"
        "This choice is not in the catalogue; refresh and choose again.";
    UnknownKind "unknown-kind"
        "服务器不认识这种记录，请更新应用。"
        "The server does not know this kind of record; update the app.";
    UnknownField "unknown-field"
        "服务器不认识这一项，请更新应用。"
        "The server does not know this field; update the app.";
    ReadOnlyField "read-only-field"
        "这一项由服务器填写，不能修改。"
        "The server fills in this field; it cannot be set.";
    IdTaken "id-taken"
        "这个编号已被另一条记录使用。"
        "Another record already has this id.";
    BadId "bad-id"
        "编号格式不对。"
        "This is not an id.";
    BadDate "bad-date"
        "日期格式不对，应为年-月-日。"
        "The date is not of the form year-month-day.";
    BadRegion "bad-region"
        "区划代码格式不对。"
        "This is not a region code.";
    VillageOutsideUnit "village-outside-unit"
        "这个村（社区）不属于该站点。"
        "This village does not belong to the station.";
    FixZero "fix-zero"
        "定位为零点，没有取到位置。请重新定位或写明原因。"
        "The fix is 0,0: no position was found. Fix again or say why there is none.";
    FixSwapped "fix-swapped"
        "经度和纬度像是写反了。"
        "Latitude and longitude look swapped.";
    FixOutside "fix-outside"
        "定位不在湖南范围内，请重新定位或写明原因。"
        "The fix lies outside Hunan. Fix again or say why there is none.";
    UnitUnknown "unit-unknown"
        "没有这个单位。"
        "There is no such unit.";
    OpNotAllowed "op-not-allowed"
        "这种记录不能这样操作。"
        "This kind of record does not allow that operation.";
    NotYours "not-found"
        "没有找到可以处理的记录。"
        "There is nothing here to act on.";
    TimeRange "time-range"
        "时间超出合理范围，请核对手机时间。"
        "The time is out of range; check the phone's clock.";
    DuplicateNumber "duplicate-number"
        "同一批里有两条相同的序号。"
        "Two items of this batch have the same number.";
    FixedField "fixed-field"
        "这一项建立后不能修改。"
        "This field cannot change after creation.";
    ListTooLong "list-too-long"
        "列表的条数超过上限。"
        "The list has more entries than allowed.";
    EndsBeforeStart "ends-before-start"
        "结束时间早于开始时间。"
        "The end lies before the start.";
}
