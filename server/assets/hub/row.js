// One row of the feed as elements: time, kind, and what is said about it.

import { chinese, el } from "./dom.js";
import { speak } from "./speak.js";
import { clock, clockSeconds } from "./when.js";
import { codeWord, isChinese, t } from "./words.js";

/** The element of a change, or of a gap `{gap, from, to}` in the feed. */
export function rowOf(entry, titleOf) {
  if (entry.gap) {
    return el("li", "gap", t("gap", { from: clock(entry.from), to: clock(entry.to) }));
  }
  const words = speak(entry, titleOf);
  const row = el("li", "change");
  row.dataset.test = "feed-row";
  row.dataset.kind = entry.kind;
  row.dataset.record = entry.id;
  const time = el("time", "", clockSeconds(entry.received_at));
  time.dateTime = new Date(entry.received_at).toISOString();
  const lines = words.refusal ? refusalLines(words) : recordLines(words);
  row.append(time, el("span", "kind", words.kind), el("div", "said", ...lines));
  return row;
}

function recordLines(words) {
  const lead = el("p", "lead");
  if (words.who) lead.append(chinese(words.who, "who"));
  if (words.where) lead.append(chinese(words.where, "where"));
  const facts = words.facts.map((fact) => el("span", "fact", fact));
  if (words.class) facts.unshift(classOf(words.class));
  return [lead, joined(facts)].filter((line) => line.hasChildNodes());
}

function classOf(code) {
  const mark = el("span", `class-mark is-${code}`);
  return el("span", "fact", mark, codeWord("class", code));
}

function refusalLines({ refusal, where }) {
  const lead = el("p", "lead", el("span", "rule", refusal.rule));
  if (refusal.title) lead.append(refusal.title);
  const rest = [refusal.clause, refusal.office, where].filter(Boolean);
  return [lead, joined(rest.map((fact) => el("span", "fact", fact)))];
}

// A line may break between two facts, not inside one.
function joined(facts) {
  const line = el("p", "facts");
  facts.forEach((fact, place) => {
    const last = place === facts.length - 1;
    fact.append(last ? "" : t("dot"));
    line.append(fact, last || isChinese() ? "" : " ");
  });
  return line;
}
