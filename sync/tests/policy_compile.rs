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
        "- id: {id}\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三, derived: true}}\n  \
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

#[test]
fn the_starter_pack_is_sound() {
    let report = check(xiangyi_proto::pack::STARTER).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    });
    assert_eq!(report.pack, "43");
    println!("{report:?}");
}
