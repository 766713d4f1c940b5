// Turns one change of the stream into the words of a feed row. Shows who serves which village
// in which class of service; a refusal names the clause and the ordering office, never a person.

import { clockOrDay } from "./when.js";
import { codeWord, t } from "./words.js";

const LATE_MS = 10 * 60 * 1000;
// Only these kinds carry a title that was written for everybody to read.
const TITLED = new Set(["activity", "resource", "notice"]);

/**
 * The words of a change: `kind` (label), `who`, `where`, `class` (code or ""), `facts` (short
 * phrases). `refusal` is given for refusals only: rule, clause, title, office.
 */
export function speak(change, titleOf) {
  const body = change.body ?? {};
  const derived = { ...body, ...body.derived };
  const refused = change.kind === "refusal";
  const words = {
    kind: kindWord(change, body),
    who: refused ? "" : change.author_name ?? "",
    where: change.village_name ?? "",
    class: codeWord("class", derived.class) ? derived.class : "",
    facts: [],
    refusal: refused ? refusalOf(body, titleOf) : null,
  };
  if (change.op === "rm") words.facts.push(t("removed"));
  else words.facts.push(...facts(change, derived));
  return words;
}

function kindWord(change, body) {
  if (change.kind === "check_in" && body.phase === "out") return codeWord("kind", "check_out");
  return codeWord("kind", change.kind) || change.kind;
}

function refusalOf(body, titleOf) {
  return {
    rule: body.rule ?? "",
    clause: body.clause ?? "",
    title: titleOf(body.rule) ?? "",
    office: body.ordering_office ? t("by_order", { office: body.ordering_office }) : "",
  };
}

function facts(change, body) {
  const said = [
    TITLED.has(change.kind) ? body.title : "",
    change.kind === "check_in" ? codeWord("purpose", body.purpose) : "",
    codeWord("work", body.work_category === "service" ? "" : body.work_category),
    ...services(body.services),
    Number.isFinite(body.minutes) ? t("for_minutes", { n: body.minutes }) : "",
    codeWord("mode", body.mode) || codeWord("place", body.place?.kind),
    codeWord("method", body.method),
    codeWord("outcome", body.outcome?.kind),
    codeWord("evidence", body.evidence),
    codeWord("state", body.state ?? change.state),
    change.rev > 1 ? t("updated") : "",
    late(change),
  ];
  return said.filter((fact, place) => fact && said.indexOf(fact) === place);
}

// The catalogue's codes are for machines; a service is named only when its name travels along.
function services(list) {
  if (!Array.isArray(list)) return [];
  const named = list.map((one) => one?.name_zh ?? one?.name ?? one);
  return named.filter((one) => typeof one === "string" && /[^\x00-\x7f]/.test(one)).slice(0, 3);
}

function late(change) {
  const { estimated_at, received_at } = change;
  if (!(received_at - estimated_at > LATE_MS)) return "";
  return t("happened", { at: clockOrDay(estimated_at) });
}
