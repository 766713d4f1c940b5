//! Words for the answers that no rule pack gives: plain, Chinese first, never blaming.

use xiangyi_proto::verdict::{RuleRef, Verdict, VerdictName};

/// (rule, Chinese, English): what happened and what to do next.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "scope",
        "您目前没有在这个单位做这项操作的权限。请联系站长或县社工总站核对授权，记录仍保存在手机上。",
        "You have no right to do this at this unit now. Ask your station lead or the county hub to \
         check your grant; the record stays on your phone.",
    ),
    (
        "grant-ended",
        "这条记录属于已结束的授权期，已交县社工总站审核，不会丢失。",
        "This work falls under a grant that has ended. It is stored and the county hub reviews it.",
    ),
    (
        "device-revoked",
        "这台手机的登记已停用，记录已收下并交县社工总站审核，不会丢失。请在新登记的手机上继续。",
        "This phone's registration has been ended. The record is stored and the county hub reviews \
         it. Go on with a phone that is registered.",
    ),
    (
        "restored",
        "服务器从备份恢复之前已经收下这条记录。现在与别处有出入，已交审核，不会丢失。",
        "The server had taken this before it came back from a backup. Something is in its way now; \
         a reviewer sees to it and nothing is lost.",
    ),
    (
        "waits-for-record",
        "它提到的另一条记录还没有到达，已先存好；那条到达后会自动处理。",
        "It names a record that has not arrived yet. It is stored and goes on by itself then.",
    ),
    (
        "dependency-refused",
        "它所依赖的那条记录没有被接受，所以这条也不能单独成立。请先处理那一条。",
        "The record it depends on was not accepted, so it cannot stand alone. See to that one first.",
    ),
    (
        "hold-expired",
        "它等待的记录十四天内没有到达。内容仍在您的手机上，可以重新发送。",
        "The record it waited for did not come in fourteen days. It is on your phone; send it again.",
    ),
    (
        "locked",
        "这条记录已审核通过，不能再修改。需要更正请联系县社工总站。",
        "This record has been approved and can no longer change. Ask the county hub for corrections.",
    ),
    (
        "not-found",
        "没有找到可以处理的记录。",
        "There is nothing here to act on.",
    ),
    (
        "second-reviewer",
        "需要另一位审核员来决定：不能审核自己的记录，也不能两次审核同一条。",
        "Another reviewer must decide: nobody reviews their own record or the same one twice.",
    ),
    (
        "incident-closed",
        "这件危情已经结案。情况有变，请先重新确认，再继续。",
        "This incident has been closed. If things have changed, confirm it again first.",
    ),
    (
        "consent-needed",
        "告知他人之前，请先征得本人同意；未成年人、无民事行为能力或正有急迫危险的，请写明为什么没有征求。",
        "Ask the person's consent before others are told; for a minor, somebody without legal \
         capacity, or in acute danger, say why nobody was asked.",
    ),
    (
        "consent-refused",
        "本人不同意告知他人，已记下，不再告知。正有急迫危险时可以报警，请注明急迫危险。",
        "The person does not agree that others are told; that is noted and nobody further is told. \
         In acute danger the police may be told: mark it as acute.",
    ),
    (
        "refused-by-review",
        "审核员认为这条记录不能作为服务记录。您可以另存为工时，或提出申诉。",
        "The reviewer found that this cannot stand as a service record. Re-file it as working time \
         or appeal.",
    ),
    (
        "released-by-review",
        "审核员看过，这条记录照常收下。",
        "A reviewer has looked at this and it stands.",
    ),
    (
        "appeal-granted",
        "申诉成立，这条记录照常收下；原先改记的工时同时作废，不会重复计算。",
        "The appeal was granted and the record stands. Working time that it was re-filed as is \
         void, so that nothing counts twice.",
    ),
    (
        "appeal",
        "申诉已收到，由另一位审核员复核，结果会通知您；在此之前内容不会丢。",
        "The appeal has come in. Another reviewer looks at it and you will be told; nothing is lost.",
    ),
    (
        "appeal-upheld",
        "申诉未获支持，这条仍不作为服务记录。花去的时间仍可登记为工时；有疑问请联系县社工总站。",
        "The appeal was not granted: this does not stand as a service record. The time it took can \
         still be entered as working time; ask the county hub where something is unclear.",
    ),
    (
        "appeal-once",
        "这次拒收已经申诉过，或内容与原记录不同。每次拒收可以申诉一次，须用原内容。",
        "This refusal was appealed before, or the content differs. Each refusal can be appealed \
         once, with the same content.",
    ),
    (
        "split-minutes",
        "拆分后的时长合计超过了原记录的时长，请核对分钟数。",
        "The parts of the split are longer together than the refused record. Check the minutes.",
    ),
    (
        "refusal-used",
        "这次拒收已经处理过了。",
        "This refusal has already been dealt with.",
    ),
    (
        "already-signed-up",
        "您已经报名了这个场次，不用重复报名。",
        "You are already signed up for this session.",
    ),
    (
        "time-clash",
        "这个时间您已经有确认的活动。可先取消那一个，再来报名。",
        "You already have a confirmed place at that time. Leave that one first, then sign up.",
    ),
    (
        "session-started",
        "这个场次已经开始或结束，不能再报名。",
        "This session has begun or is over; it takes no more sign-ups.",
    ),
    (
        "no-such-place",
        "活动没有这个场次或岗位，请刷新后重新选择。",
        "The activity has no such session or role. Refresh and choose again.",
    ),
    (
        "activity-cancelled",
        "活动已取消。",
        "The activity has been cancelled.",
    ),
    (
        "offer-passed",
        "这个名额的确认时间已过，已转给下一位。您可以重新报名候补。",
        "The time to accept this place is over and it went to the next person. You can join again.",
    ),
    (
        "not-in-line",
        "这条报名或对接现在不能这样操作，请刷新后再看。",
        "This sign-up or link cannot take that step now. Refresh and look again.",
    ),
    (
        "capacity-below",
        "名额不能少于已确认和已邀请的人数。",
        "There cannot be fewer places than are confirmed and offered.",
    ),
    (
        "void-late",
        "超过十分钟的签到请站长作废，再补一条新的签到。",
        "A check-in older than ten minutes is voided by the station lead; then make a new one.",
    ),
    (
        "void-gone",
        "这条记录已经作废。",
        "This record has been voided.",
    ),
];

/// The words of a rule: Chinese, English.
pub fn of(rule: &str) -> (&'static str, &'static str) {
    let found = WORDS.iter().find(|(id, ..)| *id == rule);
    found.map_or(("", ""), |(_, zh, en)| (*zh, *en))
}

/// Every rule with words here.
pub fn rules() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(id, ..)| *id)
}

/// Puts a rule and its words on a verdict.
pub fn tell(mut verdict: Verdict, rule: &str) -> Verdict {
    let (zh, en) = of(rule);
    verdict.rule = Some(RuleRef {
        pack: String::new(),
        version: 0,
        id: rule.to_owned(),
        clause: String::new(),
        basis: String::new(),
    });
    verdict.message = Some(zh.to_owned());
    verdict.message_en = Some(en.to_owned());
    verdict
}

/// Adds what the reviewer wrote to the words of a decision, in both languages as it was written.
pub fn because(mut verdict: Verdict, rule: &str, reason: &str) -> Verdict {
    let (zh, en) = of(rule);
    verdict.message = Some(format!("{zh}审核员写明：{reason}"));
    verdict.message_en = Some(format!("{en} The reviewer wrote: {reason}"));
    verdict
}

/// A refusal by one of these rules; it leaves no receipt and is judged afresh when sent again.
pub fn rejected(n: i64, id: uuid::Uuid, rule: &str) -> Verdict {
    tell(Verdict::bare(n, id, VerdictName::Rejected), rule)
}
