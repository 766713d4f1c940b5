//! Columns of each table, with the names that headers give them; `deploy/import.md` lists them.

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub zh: &'static str,
    aliases: &'static [&'static str],
    pub required: bool,
}

impl Column {
    /// One that may be absent.
    pub const fn new(
        name: &'static str,
        zh: &'static str,
        aliases: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            zh,
            aliases,
            required: false,
        }
    }

    /// One that must be there.
    pub const fn needed(
        name: &'static str,
        zh: &'static str,
        aliases: &'static [&'static str],
    ) -> Self {
        Self {
            required: true,
            ..Self::new(name, zh, aliases)
        }
    }

    /// Every name of it.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name, self.zh]
            .into_iter()
            .chain(self.aliases.iter().copied())
    }

    /// Whether a header means this column; spaces, stars and case do not count.
    pub fn is_called(&self, header: &str) -> bool {
        let plain = |text: &str| {
            let kept = text.chars().filter(|c| !c.is_whitespace());
            let kept = kept.filter(|c| !matches!(c, '*' | '_' | '-'));
            kept.collect::<String>().to_lowercase()
        };
        self.names().any(|name| plain(name) == plain(header))
    }
}

const fn n(name: &'static str, zh: &'static str, aliases: &'static [&'static str]) -> Column {
    Column::needed(name, zh, aliases)
}
const fn o(name: &'static str, zh: &'static str, aliases: &'static [&'static str]) -> Column {
    Column::new(name, zh, aliases)
}

pub const REGIONS: &[Column] = &[
    n("code", "代码", &["区划代码", "统计用区划代码", "区域代码"]),
    n("name", "名称", &["区划名称", "区域名称"]),
    o("parent", "上级代码", &["上级", "父级代码"]),
    o("from", "启用日期", &["开始日期", "生效日期"]),
    o("to", "停用日期", &["撤销日期", "结束日期"]),
    o("successor", "并入", &["并入代码", "新代码", "merged into"]),
];

pub const UNITS: &[Column] = &[
    n(
        "unit",
        "单位代码",
        &["代码", "站点代码", "机构代码", "code"],
    ),
    o("name", "单位名称", &["名称", "站点名称"]),
    o("address", "地址", &["详细地址"]),
    o("opened", "成立日期", &["开站日期", "挂牌日期", "opened on"]),
    o(
        "village",
        "村社区代码",
        &["村代码", "村（社区）代码", "village code"],
    ),
    o("lat", "纬度", &["latitude"]),
    o("lng", "经度", &["longitude", "lon"]),
    o("system", "坐标系", &["坐标系统", "coordinate system"]),
];

pub const AGENCIES: &[Column] = &[
    n(
        "licence",
        "统一社会信用代码",
        &["登记证号", "信用代码", "license"],
    ),
    n("name", "机构名称", &["名称", "承接机构"]),
    n("from", "合同开始", &["开始日期", "合同起", "合同开始日期"]),
    o("to", "合同结束", &["结束日期", "合同止", "合同结束日期"]),
    o("stations", "站点", &["站点代码", "承接站点"]),
    o(
        "manager",
        "负责人电话",
        &["负责人手机", "manager telephone"],
    ),
];

pub const PEOPLE: &[Column] = &[
    n(
        "telephone",
        "电话",
        &[
            "手机",
            "手机号",
            "手机号码",
            "电话号码",
            "联系电话",
            "phone",
        ],
    ),
    n("name", "姓名", &["名字"]),
    n("role", "角色", &["岗位", "职务"]),
    n("unit", "单位代码", &["单位", "站点代码", "站点"]),
    o("from", "开始日期", &["起始日期", "到岗日期"]),
    o("to", "结束日期", &["截止日期", "离岗日期"]),
];

pub const CLIENTS: &[Column] = &[
    n(
        "worker",
        "社工电话",
        &["社工手机", "负责社工电话", "worker telephone"],
    ),
    o("unit", "单位代码", &["站点代码", "站点"]),
    o("number", "编号", &["档案号", "服务对象编号"]),
    n("name", "姓名", &["服务对象姓名"]),
    o("sex", "性别", &["gender"]),
    o("born_on", "出生日期", &["生日", "birthday"]),
    o(
        "categories",
        "类别",
        &["人群类别", "服务对象类别", "category"],
    ),
    n(
        "village",
        "村社区代码",
        &["村代码", "村（社区）代码", "village code"],
    ),
    o("address", "地址", &["住址", "家庭住址"]),
    o("guardian", "监护人", &["监护人姓名"]),
    o("contact_relation", "联系人关系", &["紧急联系人关系"]),
    o("contact_telephone", "联系人电话", &["紧急联系人电话"]),
    o("id_number", "身份证号", &["身份证号码", "身份证"]),
    o("no_id_reason", "无身份证原因", &["无证原因"]),
    o("tier", "分级", &["等级", "服务等级"]),
    o("next_due_on", "下次走访", &["下次走访日期"]),
    o("background", "基本情况", &["情况说明", "家庭情况"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_means_two_columns() {
        for columns in [REGIONS, UNITS, AGENCIES, PEOPLE, CLIENTS] {
            for column in columns {
                for name in column.names() {
                    let meant = columns.iter().filter(|other| other.is_called(name));
                    assert_eq!(meant.count(), 1, "{name}");
                }
            }
        }
    }
}
