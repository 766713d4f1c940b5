//! What is too large, too deep or too slow in a pack, and what a condition may do by text.

use xiangyi_sync::policy::{PackFault, check};

fn pack(more: &str, rules: &str) -> String {
    format!(
        "pack: \"43\"\nversion: 1\neffective: {{from: 2026-01-01, to: null}}\n\
         lexicons:\n  approve: {{acts: [审批通过]}}\n{more}rules:\n{rules}"
    )
}

fn rule(id: &str, kinds: &str, verdict: &str, condition: &str) -> String {
    format!(
        "- id: {id}\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三}}\n  \
         message: {{zh: 话, en: words}}\n  kinds: {kinds}\n  verdict: {verdict}\n  at: []\n  \
         when: >-\n    {condition}\n"
    )
}

fn faults(yaml: &str) -> Vec<PackFault> {
    check(yaml).err().unwrap_or_default()
}

fn of_condition(condition: &str, verdict: &str) -> Vec<PackFault> {
    faults(&pack("", &rule("R", "[visit]", verdict, condition)))
}

#[test]
fn what_would_take_the_stack_is_refused_before_it_is_parsed() {
    let around = |open: &str, n: usize, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    for (condition, why) in [
        (around("(", 900, "true", ")"), "brackets"),
        (around("(", 25, "true", ")"), "brackets"),
        (around("[", 25, "1", "]") + " == 1", "brackets"),
        (around("size(", 25, "unit", ")") + " == 1", "brackets"),
        (format!("{}true", "true ? true : ".repeat(90)), "brackets"),
        // What looks like closing brackets is a text, a comment, a letter behind a backslash.
        (
            format!("\")))\" != {}", around("(", 25, "unit", ")")),
            "brackets",
        ),
        (format!("// \" {}", around("(", 25, "true", ")")), "comment"),
        ("r\"\\\" == unit".to_owned(), "backslash"),
        ("'''a'b''' == unit".to_owned(), "triple quote"),
        (format!("1{} == 1", "+1".repeat(900)), "operations"),
        (format!("true{}", " == true".repeat(200)), "operations"),
        (
            format!("record.services{} == unit", "[0]".repeat(600)),
            "operations",
        ),
        (format!("record{} == unit", ".a".repeat(600)), "operations"),
    ] {
        let found = of_condition(&condition, "warn");
        let first = found.first().map(ToString::to_string).unwrap_or_default();
        assert!(
            first.contains("rule R: when") && first.contains(why),
            "{condition}: {first}"
        );
    }
    // As deep as may be.
    let deep = around("(", 8, "true", ")");
    assert_eq!(of_condition(&deep, "warn"), []);
    let long = format!("1{} == 1", "+1".repeat(20));
    assert_eq!(of_condition(&long, "warn"), []);
}

#[test]
fn what_would_count_for_long_is_refused_with_its_rule() {
    let numbers = vec!["1"; 900].join(",");
    for condition in [
        // Sixty participants for each of nine hundred numbers, looked at more than once.
        format!("[{numbers}].exists(n, record.participants.exists(p, p == \"x\" || n == 2))"),
        "record.participants.exists(a, record.participants.exists(b, a == b && \
         (a == \"1\" || a == \"2\" || a == \"3\" || a == \"4\" || a == \"5\" \
         || a == \"6\" || a == \"7\" || a == \"8\" || a == \"9\")))"
            .to_owned(),
        "record.participants.exists(a, mentions(record.process, \"approve\"))".to_owned(),
        "record.participants.map(a, record.participants.map(b, b)).exists(l, size(l) > 61)"
            .to_owned(),
    ] {
        let found = of_condition(&condition, "warn");
        let first = found.first().map(ToString::to_string).unwrap_or_default();
        assert!(
            first.contains("rule R: when") && first.contains("steps"),
            "{condition}: {first}"
        );
    }
    let pairs = "record.participants.exists(a, record.participants.exists(b, a == b))";
    assert_eq!(of_condition(pairs, "warn"), []);
    // Each is well, and all together are not.
    let many: String = (0..20)
        .map(|n| rule(&format!("R{n}"), "[visit]", "warn", pairs))
        .collect();
    let found = faults(&pack("", &many));
    assert!(
        found[0]
            .to_string()
            .contains("with the other rules of a visit"),
        "{found:?}"
    );
}

fn refused(table: &[(String, &str)]) {
    for (yaml, place) in table {
        let found: Vec<String> = faults(yaml).iter().map(ToString::to_string).collect();
        let is_told = |fault: &String| fault.contains(place);
        assert!(found.iter().any(is_told), "{place}: {found:?}");
        let short = |fault: &String| fault.len() < 1_000;
        assert!(found.iter().all(short), "{place} is told at length");
    }
}

fn fine() -> String {
    pack("", &rule("R", "[visit]", "warn", "true"))
}

#[test]
fn a_rule_that_is_large_is_refused_with_its_place() {
    let (fine, long) = (fine(), "长".repeat(1_100));
    assert_eq!(faults(&fine), []);
    let many: String = (0..301)
        .map(|n| rule(&format!("R{n}"), "[visit]", "warn", "true"))
        .collect();
    refused(&[
        (
            fine.replace("id: R", &format!("id: {long}")),
            "id: has 1100 characters",
        ),
        (
            fine.replace("clause: 条", &format!("clause: {long}")),
            "rule R: clause: has",
        ),
        (
            fine.replace("zh: 题", &format!("zh: {long}")),
            "rule R: title: has",
        ),
        (
            fine.replace("zh: 话", &format!("zh: {long}")),
            "rule R: message: has",
        ),
        (
            fine.replace("plan: 三", &format!("plan: {long}")),
            "rule R: basis: has",
        ),
        (
            fine.replace("at: []", &format!("at: [/{long}]")),
            "rule R: at: has",
        ),
        (
            fine.replace("at: []", &format!("at: [{}]", ["/risk"; 17].join(", "))),
            "rule R: at: has 17 pointers",
        ),
        (pack("", &many), "rules: has 301 rules"),
        (
            fine.replace("clause: 条", "clause: \"条\\0\""),
            "rule R: clause: has control characters",
        ),
        (
            fine.replace("[visit]", "[incident]"),
            "rule R: kinds: incident is never",
        ),
        (
            fine.replace("[visit]", "[refusal]"),
            "rule R: kinds: refusal is never",
        ),
        (
            fine.replace("[visit]", "[order_report]"),
            "rule R: kinds: order_report is never",
        ),
        (
            fine.replace("[visit]", "[visit, visit]"),
            "rule R: kinds: names visit twice",
        ),
    ]);
}

#[test]
fn a_document_that_is_large_is_refused_with_its_place() {
    let (fine, long) = (fine(), "长".repeat(1_100));
    let with = |more: &str| pack(more, &rule("R", "[visit]", "warn", "true"));
    let phrases: Vec<String> = (0..4_001).map(|n| format!("词{n}")).collect();
    let exempt = |units: &str, to: &str| {
        with(&format!(
            "exemptions:\n- {{id: E, rules: [R], units: [{units}], from: 2026-07-02, to: {to}, \
             reason: {{zh: 汛, en: f}}, basis: 令}}\n"
        ))
    };
    let messages = (0..90).map(|n| format!("  m{n}: {{zh: {long}, en: e}}\n"));
    let messages = with(&format!("messages:\n{}", messages.collect::<String>()));
    refused(&[
        (fine.replace("审批通过", &long), "lexicons/approve: has"),
        (
            fine.replace("审批通过", &phrases.join(", ")),
            "lexicons: has 4001 phrases",
        ),
        (
            fine.replace("approve:", &format!("{}:", "名".repeat(100))),
            "has 100 characters",
        ),
        (
            fine.replace("审批通过", "\"审\\0批\""),
            "lexicons: has control characters",
        ),
        (
            fine.replace("to: null", "to: 2025-12-31"),
            "effective/to: lies before",
        ),
        (
            exempt("\"43zz\"", "2026-07-03"),
            "exemptions/E/units: 43zz is not a region code",
        ),
        (
            exempt("\"4301\"", "2026-07-01"),
            "exemptions/E/to: lies before",
        ),
        (messages, "document: has"),
    ]);
}

#[test]
fn text_alone_neither_holds_nor_refuses() {
    let alone = [
        "mentions(record.process, \"approve\")",
        "record.process != null && record.process.contains(\"x\")",
        "record.process == \"x\"",
        "\"x\" in [record.process]",
        "record.result in [\"x\", \"y\"]",
        "unit == \"430121\" && mentions(record.process, \"approve\")",
        "record.outcome.kind != null && mentions(record.process, \"approve\")",
        "!(record.outcome.kind == \"x\") && mentions(record.process, \"approve\")",
        "record.outcome.decision == \"approved\" || mentions(record.process, \"approve\")",
        "record.process != null && (record.process + \"!\") == \"x!\"",
        "record.handed_over.map(p, p.what).exists(n, n == \"x\")",
        "record.handed_over.exists(p, p.what == \"x\")",
        "size(record.handed_over.filter(p, p.what == \"x\")) > 0",
        "(record.process == null ? \"\" : record.process) == \"x\"",
        "mentions(record.process, \"approve\") ? true : false",
    ];
    let beside = [
        "record.outcome.decision == \"approved\" && mentions(record.process, \"approve\")",
        "mentions(record.process, \"approve\") && (record.outcome.decision in [\"approved\"] || \
         record.signatures.exists(s, s.role == \"approver\"))",
        "record.signatures.exists(s, s.role == \"approver\" && s.signed_by == \"x\")",
        // What stands in no text, and what is asked of a text's form.
        "true",
        "record.process == null",
        "record.process != null && size(record.process) < 5",
        "repeats(record.process) > 60",
    ];
    for verdict in ["hold", "reject", "amend"] {
        for condition in alone {
            let found = of_condition(condition, verdict);
            let told: Vec<String> = found.iter().map(ToString::to_string).collect();
            let right = |fault: &String| fault.starts_with("line") && fault.contains("text alone");
            assert!(told.iter().any(right), "{condition} {verdict}: {told:?}");
        }
        for condition in beside {
            assert_eq!(of_condition(condition, verdict), [], "{condition}");
        }
    }
    for condition in alone {
        assert_eq!(of_condition(condition, "warn"), [], "{condition}");
    }
}
