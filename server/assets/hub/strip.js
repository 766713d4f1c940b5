// The strip of the day's numbers, and the bar that divides working time by class.

import { part, say } from "./dom.js";
import { dayOf, now } from "./when.js";
import { count, locale, t } from "./words.js";

const CLASSES = ["professional", "assistive", "administrative"];
const PLAIN = ["visits", "check_ins", "held", "refused", "photos_missing", "incidents_open"];
const ASKS_ATTENTION = ["held", "incidents_open"];

/** Writes today's totals; null (nothing known yet) shows every figure as unknown. */
export function fillStrip(strip, today) {
  const totals = today?.totals ?? null;
  for (const name of PLAIN) {
    const number = totals?.[name];
    const figure = part(strip, name);
    const known = Number.isFinite(number);
    // A dash before the first answer; "unknown" once the server says that it does not know.
    say(figure, known ? count(number) : totals ? t("unknown") : "—");
    figure.classList.toggle("is-unknown", !known);
    if (ASKS_ATTENTION.includes(name)) {
      figure.parentElement.classList.toggle("asks", known && number > 0);
    }
  }
  say(part(strip, "visits_note"), totals ? t("visits_note", {
    persons: count(totals.clients_persons),
    times: count(totals.person_times),
  }) : "");
  say(part(strip, "silent"), today ? silence(today) : "");
  fillWork(strip, totals);
}

// A small number means little while stations have not spoken, so the strip says how many.
function silence({ stations }) {
  const day = dayOf(now());
  const spoke = ({ last_heard_at: at }) => at && dayOf(at) === day;
  const n = stations.filter((station) => !spoke(station)).length;
  return n ? t("silent", { n }) : t("all_spoke");
}

function fillWork(strip, totals) {
  const minutes = CLASSES.map((name) => totals?.[`${name}_minutes`]);
  const known = minutes.every(Number.isFinite);
  const sum = known ? minutes.reduce((all, one) => all + one, 0) : 0;
  CLASSES.forEach((name, place) => {
    say(part(strip, `${name}_hours`), known ? hours(minutes[place]) : "—");
    part(strip, `${name}_bar`).style.flexGrow = sum ? minutes[place] / sum : 0;
  });
  part(strip, "bar").classList.toggle("is-empty", sum === 0);
  say(part(strip, "share"), share(known, sum, minutes[0]));
}

function share(known, sum, professional) {
  if (!known) return "";
  if (!sum) return t("no_minutes");
  const percent = new Intl.NumberFormat(locale(), { style: "percent" });
  return t("share", { n: percent.format(professional / sum) });
}

function hours(minutes) {
  const tenths = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return t("hours", { n: new Intl.NumberFormat(locale(), tenths).format(minutes / 60) });
}
