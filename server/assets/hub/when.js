// Times in words. All days and clocks are UTC+8, whatever the computer's zone; "now" is the
// server's, carried on by this computer's steady clock so that a wrong wall clock does no harm.

import { isChinese, locale, t } from "./words.js";

const ZONE = "Asia/Shanghai";
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
let ahead = Date.now() - performance.now();

/** Takes over the server's clock from an answer that has just arrived. */
export function learnNow(server_time) {
  if (Number.isFinite(server_time)) ahead = server_time - performance.now();
}

/** The server's present time, Unix milliseconds. */
export const now = () => performance.now() + ahead;

const formats = new Map();
function format(name, options) {
  const key = name + locale();
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat(locale(), { timeZone: ZONE, ...options }));
  }
  return formats.get(key);
}

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** "21:03" */
export const clock = (at) => format("clock", CLOCK).format(at);

/** "21:03:12" */
export const clockSeconds = (at) => format("seconds", { ...CLOCK, second: "2-digit" }).format(at);

/** "2026-11-23", the UTC+8 day of a time. */
export const dayOf = (at) => new Date(at + 8 * HOUR).toISOString().slice(0, 10);

/** "2026-11-23 星期一" */
export function dayInWords(at) {
  const weekday = isChinese() ? "long" : "short";
  return `${dayOf(at)} ${format("weekday", { weekday }).format(at)}`;
}

/** The clock today, day and clock on any other day. */
export function clockOrDay(at) {
  return dayOf(at) === dayOf(now()) ? clock(at) : `${dayOf(at).slice(5)} ${clock(at)}`;
}

/** "2 秒前": for the connection, where seconds matter. */
export function secondsAgo(at) {
  const gone = Math.max(0, now() - at);
  if (gone < SECOND || gone >= MINUTE) return ago(at);
  return t("seconds_ago", { n: Math.floor(gone / SECOND) });
}

/** "3 小时前": rounded down to the largest unit that is not zero. */
export function ago(at) {
  const gone = Math.max(0, now() - at);
  if (gone < MINUTE) return t("just_now");
  if (gone < HOUR) return t("minutes_ago", { n: Math.floor(gone / MINUTE) });
  if (gone < DAY) return t("hours_ago", { n: Math.floor(gone / HOUR) });
  return t("days_ago", { n: Math.floor(gone / DAY) });
}

/** "5 小时": how long something has lasted; under a minute counts as one. */
export function lasting(span_ms) {
  if (span_ms < HOUR) return t("for_minutes", { n: Math.max(1, Math.floor(span_ms / MINUTE)) });
  if (span_ms < DAY) return t("for_hours", { n: Math.floor(span_ms / HOUR) });
  return t("for_days", { n: Math.floor(span_ms / DAY) });
}
