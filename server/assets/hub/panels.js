// The tables of the day: villages by class, refusals by clause and office, photographs missing,
// stations and when they were last heard. Each takes its part of /v1/today and writes it;
// what is null or absent reads "unknown", never zero.

import { chinese, el, part, pointed, put, say, syncRows } from "./dom.js";
import { ago, clockOrDay, dayOf, lasting, now } from "./when.js";
import { count, isChinese, t } from "./words.js";

const CLASSES = ["professional", "assistive", "administrative"];
const HOUR_MS = 3_600_000;

// A table is written only from data; while somebody points at it, rows stay where they are.
function fillTable(panel, list, empty, { key, make, fill }) {
  part(panel, "table").hidden = list.length === 0;
  part(panel, "empty").hidden = list.length > 0;
  say(part(panel, "empty"), t(empty));
  syncRows(part(panel, "rows"), list, { key, make, fill, stay: pointed(panel) });
}

function rowMaker(test, names) {
  return () => {
    // Roles are spelled out because a phone lays some tables out as blocks.
    const row = el("tr");
    row.dataset.test = test;
    row.setAttribute("role", "row");
    names.forEach((name, place) => {
      const cell = el(place === 0 ? "th" : "td", name);
      if (place === 0) cell.scope = "row";
      cell.setAttribute("role", place === 0 ? "rowheader" : "cell");
      row.append(cell);
    });
    return row;
  };
}

const byCount = (a, b) => b.count - a.count;

/** One row a village, its visits by class; most visits first. */
export function fillVillages(panel, today) {
  const villages = new Map();
  for (const line of today.villages) {
    const village = villages.get(line.code) ?? { ...line, visits: 0, minutes: 0, by: {} };
    village.visits += line.visits;
    village.minutes += line.minutes;
    village.by[line.class] = (village.by[line.class] ?? 0) + line.visits;
    villages.set(line.code, village);
  }
  const list = [...villages.values()].sort(
    (a, b) => b.visits - a.visits || b.minutes - a.minutes || (a.code < b.code ? -1 : 1),
  );
  const stations = new Map(today.stations.map((station) => [station.unit, station.name]));
  say(part(panel, "sum"), list.length ? t("villages_sum", { n: list.length }) : "");
  fillTable(panel, list, "villages_empty", {
    key: (village) => village.code,
    make: rowMaker("village-row", ["place", "number", "number", "number", "number all", "number"]),
    fill: (row, village) => fillVillage(row, village, stations.get(village.station)),
  });
}

// "路口镇社工站" is long beside a village; the township alone says which station it is.
const townOf = (station) => station.replace(/(社工站|社会工作服务站)$/, "");

function fillVillage(row, village, station) {
  const [name, ...cells] = row.children;
  const numbers = [...CLASSES.map((one) => village.by[one] ?? 0), village.visits, village.minutes];
  put(name, chinese(village.name), station ? chinese(townOf(station), "beside") : "");
  cells.forEach((cell, place) => {
    say(cell, count(numbers[place]));
    cell.classList.toggle("is-zero", numbers[place] === 0);
  });
}

/** One row a rule and ordering office. An empty office means: merged upward, too few authors. */
export function fillRefusals(panel, today) {
  fillTable(panel, [...today.refusals].sort(byCount), "refusals_empty", {
    key: (refusal) => `${refusal.rule ?? ""} ${refusal.ordering_office ?? "?"}`,
    make: rowMaker("refusal-row", ["clause", "office", "number all"]),
    fill: fillRefusal,
  });
}

function fillRefusal(row, refusal) {
  const [clause, office, number] = row.children;
  const title = isChinese() ? refusal.title_zh : refusal.title_en ?? refusal.title_zh;
  put(
    clause,
    refusal.rule === null
      ? t("rules_merged")
      : el("span", "lead", el("span", "rule", refusal.rule), title ?? ""),
    chinese(refusal.clause ?? "", "under"),
  );
  const named = refusal.ordering_office;
  office.classList.toggle("is-quiet", !named);
  put(office, named ? chinese(named) : t(named === "" ? "office_merged" : "office_none"));
  say(number, count(refusal.count));
}

/** Trends for the county to look at, a row a station; nothing stands there while there is none. */
export function fillAlerts(panel, today) {
  const list = today.alerts ?? [];
  panel.hidden = list.length === 0;
  fillTable(panel, list, "unknown", {
    key: (alert) => `${alert.rule} ${alert.station}`,
    make: rowMaker("alert-row", ["place", "clause"]),
    fill: (row, alert) => {
      const [station, trend] = row.children;
      put(station, chinese(alert.station_name ?? alert.station));
      const said = t("trend_row", { n: alert.people, days: alert.days, within: alert.within_days });
      put(trend, el("span", "lead", el("span", "rule", alert.rule), said),
        chinese(alert.clause ?? "", "under"));
      trend.title = isChinese() ? alert.message : alert.message_en ?? alert.message;
    },
  });
}

/** One row a station that still owes photographs. */
export function fillPhotos(panel, today) {
  fillTable(panel, [...today.photos_missing].sort(byCount), "photos_empty", {
    key: (line) => line.station,
    make: rowMaker("photo-row", ["place", "number all"]),
    fill: (row, line) => {
      put(row.firstElementChild, chinese(line.station_name));
      say(row.lastElementChild, t("photos_row", { n: line.count }));
    },
  });
}

/** One row a station: how fresh our knowledge is. Silent ones first, then by code. */
export function fillStations(panel, today) {
  const list = [...today.stations].sort(
    (a, b) => quiet(b) - quiet(a) || (a.unit < b.unit ? -1 : 1),
  );
  const heard = list.filter((station) => station.last_heard_at).length;
  say(part(panel, "sum"), list.length ? t("stations_sum", { n: list.length, heard }) : "");
  fillTable(panel, list, "stations_empty", {
    key: (station) => station.unit,
    make: rowMaker("station-row", ["place", "news", "number"]),
    fill: fillStation,
  });
}

// 3 never heard, 2 silent for a day, 1 for an hour, 0 recent. The order changes only when a
// station crosses one of these lines, so that the list does not jump about.
function quiet(station) {
  if (!station.last_heard_at) return 3;
  const gone = now() - station.last_heard_at;
  return gone >= 24 * HOUR_MS ? 2 : gone >= HOUR_MS ? 1 : 0;
}

const QUIET = ["recent", "hours", "days", "never"];

function fillStation(row, station) {
  const [name, news, visits] = row.children;
  const level = QUIET[quiet(station)];
  row.dataset.quiet = level;
  put(name, el("span", "heard-mark"), chinese(station.name));
  name.firstElementChild.className = `heard-mark is-${level}`;
  const calm = level === "recent" && !(station.waiting_records || station.waiting_photos);
  news.classList.toggle("is-calm", calm);
  const more = moreOf(station);
  put(news, newsOf(station), more ? el("span", "under", more) : "");
  if (station.last_heard_at) news.title = clockOrDay(station.last_heard_at);
  else news.removeAttribute("title");
  // A station that has not spoken today has not said "no visits".
  const spoke = station.last_heard_at && dayOf(station.last_heard_at) === dayOf(now());
  const known = spoke || station.visits > 0;
  visits.dataset.label = t("received_visits");
  say(visits, known ? count(station.visits) : t("unknown"));
  visits.classList.toggle("is-quiet", !known);
}

// "3 小时前有消息，12 条待上传": what is known of a station and how old that knowledge is.
function newsOf({ last_heard_at, waiting_records: records, waiting_photos: photos }) {
  if (!last_heard_at) return t("never_heard");
  const heard = t("heard", { ago: ago(last_heard_at) });
  if (!Number.isFinite(records)) return heard + t("comma") + t("waiting_unknown");
  const none = records === 0 && photos === 0;
  return heard + t("comma") + (none ? t("waiting_none") : t("waiting", { n: records }));
}

function moreOf({ last_heard_at, waiting_records: records, waiting_photos: photos, ...station }) {
  if (!last_heard_at || !Number.isFinite(records)) return "";
  const said = [];
  if (photos > 0) said.push(t("waiting_photos", { n: photos }));
  else if (!Number.isFinite(photos)) said.push(t("waiting_photos_unknown"));
  const span_ms = station.oldest_waiting_ms;
  if (span_ms > 0) said.push(t("oldest", { long: lasting(span_ms) }));
  return said.join(t("comma"));
}
