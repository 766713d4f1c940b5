// The board of one county: asks /v1/today, follows the stream, and says how old everything is.
// Invariant: a number stands on the screen only if the server gave it, and when the server no
// longer answers, the time of its last good answer stands beside it.

import { today as askToday } from "./api.js";
import { Asker } from "./asker.js";
import { part, say } from "./dom.js";
import { Feed } from "./feed.js";
import { Live } from "./live.js";
import { fillAlerts, fillPhotos, fillRefusals, fillStations, fillVillages } from "./panels.js";
import { fillStrip } from "./strip.js";
import { clockOrDay, clockSeconds, dayOf, learnNow, now, secondsAgo } from "./when.js";
import { isChinese, onLang, t } from "./words.js";

const PACE_LIVE_MS = 60_000; // stations grow silent without any change on the stream
const PACE_BLIND_MS = 15_000;
const UNKNOWN_AFTER_MS = 60_000;
const FRESHEN_EVERY_TICKS = 15;
const PANELS = { villages: fillVillages, refusals: fillRefusals, alerts: fillAlerts,
  photos: fillPhotos, stations: fillStations };

/**
 * Runs the board of `unit` in `root` until `close()`. `out.connection(state, text)` says how the
 * line is, `out.named(name)` what the county is called, `out.over(reason)` that the session or
 * the grant ended.
 */
export class Board {
  #root;
  #out;
  #feed;
  #asker;
  #live = null;
  #line = "unknown"; // "unknown" | "live" | "lost"
  #heardAt = 0;
  #today = null;
  #todayAt = 0;
  #problem = null;
  #ticks = 0;
  #stops;

  constructor(root, unit, out) {
    this.#root = root;
    this.#out = out;
    this.#feed = new Feed(part(root, "feed"), (rule) => this.#titleOf(rule));
    this.#asker = new Asker(() => askToday(unit), {
      answer: (today) => this.#answered(today),
      problem: (problem) => this.#unanswered(problem),
      pace: () => (this.#line === "live" ? PACE_LIVE_MS : PACE_BLIND_MS),
    });
    this.#stops = [onLang(() => this.#write()), this.#everySecond(), this.#onReturn()];
    this.#write();
    this.#asker.now();
  }

  close() {
    this.#stops.forEach((stop) => stop());
    this.#asker.close();
    this.#live?.close();
    this.#feed.close();
  }

  #everySecond() {
    const ticking = setInterval(() => this.#tick(), 1_000);
    return () => clearInterval(ticking);
  }

  #onReturn() {
    const seen = () => document.visibilityState === "visible" && this.#asker.wish();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }

  #answered(today) {
    learnNow(today.server_time);
    this.#today = today;
    this.#todayAt = now();
    this.#problem = null;
    this.#out.named(today.unit_name ?? today.unit);
    this.#live ??= this.#follow(today.cursor);
    this.#write();
  }

  #unanswered(problem) {
    if (problem.status === 401) return this.#out.over("session");
    this.#problem = problem;
    this.#writeState();
  }

  #follow(cursor) {
    return new Live(cursor, {
      heard: () => this.#heard(),
      lost: () => this.#lost(),
      change: (change) => this.#changed(change),
      poke: () => this.#asker.wish(),
      closed: (code) => this.#out.over(code),
      refused: async () => (await this.#asker.now())?.cursor ?? null,
      skipped: () => this.#feed.gap(this.#heardAt || this.#todayAt, now()),
    });
  }

  #heard() {
    // What happened while the line was down is in the numbers only after asking again.
    if (this.#line === "lost") this.#asker.wish();
    this.#line = "live";
    this.#heardAt = now();
    this.#writeConnection();
  }

  #lost() {
    if (this.#line === "live") this.#asker.wish();
    this.#line = "lost";
    this.#writeConnection();
  }

  #changed(change) {
    this.#feed.push(change);
    this.#asker.wish();
  }

  #titleOf(rule) {
    const known = this.#today?.refusals.find((refusal) => refusal.rule === rule);
    return isChinese() ? known?.title_zh : known?.title_en ?? known?.title_zh;
  }

  #tick() {
    this.#ticks += 1;
    this.#writeConnection();
    if (this.#today && this.#ticks % FRESHEN_EVERY_TICKS === 0) {
      fillStations(part(this.#root, "stations"), this.#today);
      this.#writeState();
    }
  }

  #write() {
    fillStrip(part(this.#root, "strip"), this.#today);
    for (const [name, fill] of Object.entries(PANELS)) {
      const panel = part(this.#root, name);
      if (this.#today) fill(panel, this.#today);
      else say(part(panel, "empty"), t("unknown"));
    }
    this.#writeState();
    this.#writeConnection();
  }

  // How old the numbers are, and what is wrong, in one sentence each.
  #writeState() {
    const at = this.#today ? clockSeconds(this.#todayAt) : "";
    const old = this.#today && this.#today.day !== dayOf(now());
    const day = old ? t("figures_of", { day: this.#today.day }) : t("today");
    say(part(this.#root, "day"), day);
    say(part(this.#root, "as_of"), at ? t("as_of", { at: clockOrDaySeconds(this.#todayAt) }) : "");
    const bar = part(this.#root, "problem");
    const next = this.#today
      ? t("stale_today", { at: clockOrDay(this.#todayAt) }) : t("no_today");
    bar.hidden = !this.#problem;
    say(bar, this.#problem ? sentences(this.#problem.words, next) : "");
    this.#root.classList.toggle("is-stale", Boolean(this.#problem) || Boolean(old));
  }

  #writeConnection() {
    const known = Math.max(this.#heardAt, this.#todayAt);
    const silent = now() - known > UNKNOWN_AFTER_MS;
    if (this.#line === "live" && !silent) {
      return this.#out.connection("live", t("live", { ago: secondsAgo(this.#heardAt) }));
    }
    const state = this.#line === "unknown" || silent ? "unknown" : "reconnecting";
    const as_of = this.#today ? " · " + t("as_of", { at: clockSeconds(this.#todayAt) }) : "";
    this.#out.connection(state, t(state) + as_of);
  }
}

function clockOrDaySeconds(at) {
  return dayOf(at) === dayOf(now()) ? clockSeconds(at) : clockOrDay(at);
}

function sentences(first, second) {
  return isChinese() ? first + second : `${first} ${second}`;
}
