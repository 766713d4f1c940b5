//! What a pack is refused for, and that a refusal names the rule and the place.

use xiangyi_sync::policy::{PackFault, check};

const HEAD: &str = r#"
pack: "43"
version: 1
effective: {from: 2026-01-01, to: null}
lexicons:
  approve: {acts: [审批通过], not_when: [镇民政办]}
rules:
"#;

/// One rule whose condition is `when`, with everything else in order.
fn rule(id: &str, rest: &str) -> String {
    format!(
        "- id: {id}\n  title: {{zh: 题, en: t}}\n  clause: 条\n  \
         basis: {{plan: 三, derived: true}}\n  \
         message: {{zh: 话, en: words}}\n{rest}"
    )
}

fn faults(rules: &str) -> Vec<PackFault> {
    check(&format!("{HEAD}{rules}")).err().unwrap_or_default()
}

fn when(condition: &str) -> String {
    rule(
        "R",
        &format!("  kinds: [visit]\n  verdict: warn\n  at: []\n  when: '{condition}'\n"),
    )
}

#[test]
fn a_sound_rule_compiles() {
    let sound = when(r#"record.outcome.decision in ["approved"] && at.day > "2026""#);
    assert_eq!(faults(&sound), []);
}

#[test]
fn conditions_are_refused_before_they_run() {
    // As deep as it is long, and so not even parsed.
    let long = format!("1{} == 1", "+1".repeat(50_000));
    let table = [
        ("record.outcome.decision ==", "when"),
        ("record.outcom.decision == \"x\"", "unknown field outcom"),
        (
            "record.signatures.exists(s, s.rol == \"x\")",
            "unknown field rol",
        ),
        ("record.outcome.decision", "not boolean"),
        ("record.photos_declined", "not boolean"),
        ("size(record.services)", "not boolean"),
        (
            "mentions(record.process, \"nowhere\")",
            "unknown lexicon nowhere",
        ),
        ("mentions(record.process, record.result)", "named in quotes"),
        ("mentions(unit, \"approve\")", "text of the record"),
        ("record.process.matches(\"x\")", "unknown function matches"),
        ("now() > 1", "unknown function now"),
        ("record.headcount > params.none", "unknown parameter none"),
        ("record.headcount > 3", "empty record"),
        ("at.moon == 1", "member moon"),
        ("person == \"x\"", "unknown name person"),
        ("record.outcome.exists(k, k == \"x\")", "only lists"),
        ("{\"a\": 1}.a == 1", "maps"),
        (
            "[1, 2].all(a, [1, 2].all(b, a == b))",
            "within another list",
        ),
        (
            "record.services.all(a, record.services.all(b, record.services.all(c, a == c)))",
            "at most two lists",
        ),
        (&long, "longer than 2,000 bytes"),
    ];
    for (condition, expected) in table {
        let found = faults(&when(condition));
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{condition} was accepted"));
        assert_eq!(first.rule.as_deref(), Some("R"), "{condition}");
        assert_eq!(first.place, "when", "{condition}");
        assert_eq!(first.line, Some(8), "{condition}");
        assert!(first.to_string().contains(expected), "{condition}: {first}");
    }
}

/// A rule with every part in its place, of which one is exchanged.
fn with(part: &str, other: &str) -> String {
    let sound = when("record.risk == \"none\"");
    assert!(sound.contains(part), "{part}");
    sound.replacen(part, other, 1)
}

#[test]
fn rules_are_refused_for_what_they_lack_or_mix() {
    let table = [
        (with("zh: 题", "zh: \"\""), "title", "words in zh and en"),
        (
            with("en: words", "en: \" \""),
            "message",
            "words in zh and en",
        ),
        (
            with("message: {zh: 话, en: words}", "message: nowhere"),
            "message",
            "no shared message",
        ),
        (
            with("plan: 三, ", ""),
            "basis",
            "a plan, a law or a practice",
        ),
        (with("clause: 条", "clause: \"\""), "clause", "missing"),
        (with("kinds: [visit]", "kinds: []"), "kinds", "no kind"),
        (with("at: []", "at: [risk]"), "at", "JSON pointers"),
        (with("at: []", "at: [/risks]"), "at", "unknown field /risks"),
        (
            with("at: []", "mentions: approve"),
            "when",
            "exactly one of when",
        ),
        (
            with("verdict: warn", "at: []").replacen("  at: []\n", "", 1),
            "verdict",
            "exactly one",
        ),
        (with("at: []", "danger: reported"), "verdict", "exactly one"),
        (
            with("at: []", "instead: [dance]"),
            "instead",
            "split, work_time and appeal",
        ),
    ];
    for (rules, place, expected) in table {
        let found = faults(&rules);
        let first = found
            .first()
            .unwrap_or_else(|| panic!("accepted:\n{rules}"));
        assert_eq!(first.place, place, "{first}");
        assert!(first.to_string().contains(expected), "{first}");
    }
}

#[test]
fn neither_text_nor_facts_alone_refuse() {
    for verdict in ["reject", "hold"] {
        let body = format!("  kinds: [visit]\n  verdict: {verdict}\n  mentions: approve\n");
        let found = faults(&rule("R", &body));
        assert!(
            found.iter().any(|fault| fault.place == "verdict"),
            "{verdict}: {found:?}"
        );
    }
    let body = "  kinds: [visit]\n  verdict: reject\n  stateful: overlapping_visits\n";
    assert_eq!(
        faults(&rule("R", body))
            .first()
            .map(|fault| fault.place.as_str()),
        Some("verdict")
    );
    let body = "  kinds: [visit]\n  verdict: hold\n  stateful: impossible_travel\n";
    assert!(
        faults(&rule("R", body))[0]
            .to_string()
            .contains("makes no sense for visit")
    );
    let body = "  kinds: [visit]\n  verdict: hold\n  stateful: overlapping_visits\n  \
                params: {kmh_max: 3}\n";
    assert!(
        faults(&rule("R", body))[0]
            .to_string()
            .contains("unknown parameter kmh_max")
    );
}

#[test]
fn an_alert_is_a_trend_and_a_trend_is_no_verdict() {
    let trend = |rest: &str| rule("R", &format!("  kinds: [check_in]\n{rest}"));
    let sound = trend("  stateful: same_office_days\n  alert: county\n");
    assert_eq!(faults(&sound), []);
    let table = [
        ("  stateful: same_office_days\n  verdict: warn\n", "alert"),
        ("  when: 'true'\n  alert: county\n", "alert"),
        (
            "  stateful: same_office_days\n  alert: county\n  verdict: hold\n",
            "verdict",
        ),
    ];
    for (rest, place) in table {
        let found = faults(&trend(rest));
        assert!(
            found.iter().any(|fault| fault.place == place),
            "{rest}: {found:?}"
        );
    }
}

#[test]
fn documents_are_refused_with_their_line() {
    let sound = when("record.risk == \"none\"");
    let table = [
        (with("verdict: warn", "verdict: maybe"), "unknown variant"),
        (with("kinds: [visit]", "kinds: [visitt]"), "unknown kind"),
        (
            with("verdict: warn", "verdikt: warn"),
            "unknown field `verdikt`",
        ),
        (with("en: words", "em: words"), "unknown field `em`"),
        (format!("{sound}- id: [\n"), "line"),
    ];
    for (rules, expected) in table {
        let found = faults(&rules);
        let first = found
            .first()
            .unwrap_or_else(|| panic!("accepted:\n{rules}"));
        assert!(first.line.is_some(), "{first}");
        assert!(first.to_string().contains(expected), "{first}");
    }
}

#[test]
fn packs_are_refused_for_their_frame() {
    let sound = format!("{HEAD}{}", when("record.risk == \"none\""));
    let table = [
        ("pack: \"43\"", "pack: \"hunan\"", "not a region code"),
        ("from: 2026-01-01", "from: 2026-02-30", "not a day"),
        ("to: null", "to: someday", "not a day"),
        ("acts: [审批通过]", "acts: []", "names no act"),
        (
            "acts: [审批通过]",
            "acts: [\"，\"]",
            "empty or spans clauses",
        ),
        (
            "version: 1",
            "version: 1\nclosings: {shout: {zh: a, en: b}}",
            "closings/shout",
        ),
        (
            "version: 1",
            "version: 1\nclosings: {hold: {zh: a, en: b}}",
            "closing words",
        ),
        (
            "version: 1",
            "version: 1\nauthor: x",
            "unknown field `author`",
        ),
    ];
    for (part, other, expected) in table {
        assert!(sound.contains(part), "{part}");
        let found = check(&sound.replacen(part, other, 1)).expect_err(other);
        assert!(found[0].to_string().contains(expected), "{:?}", found[0]);
    }
}

#[test]
fn all_faults_are_listed_and_ids_are_taken_once() {
    let twice = format!("{}{}", when("record.nothing == 1"), when("true || 1"));
    let found: Vec<String> = faults(&twice).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("column 7"), "{found:#?}");
    assert!(
        found
            .iter()
            .any(|fault| fault.contains("taken by another rule")),
        "{found:#?}"
    );
}

#[test]
fn the_starter_pack_is_sound() {
    let report = check(xiangyi_proto::pack::STARTER).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    });
    assert_eq!(report.pack, "43");
    assert_eq!(
        report.never_skipped,
        ["NL-C01", "NL-C04.future", "NL-C04.clock", "NL-D09"]
    );
}
