// Every sentence the board says, Chinese first and English second, and the language in force.
// One line holds both, so no key can lack a language. In English, "one|other" chooses by {n}.
// Names of records, states and codes are in codes.js; nothing here touches the page but `lang`.

import { CODES } from "./codes.js";

const WORDS = {
  app: ["乡驿", "Xiangyi"],
  board: ["县级社工总站 · 实时看板", "County hub · live board"],
  page_title: ["{name} · 实时看板 · 乡驿", "{name} · live board · Xiangyi"],
  sign_in_title: ["登录 · 县级社工总站 · 乡驿", "Sign in · county hub · Xiangyi"],
  other_lang: ["English", "中文"],
  skip: ["跳到看板", "Skip to the board"],
  comma: ["，", ", "],
  dot: ["·", "\u00a0·"],

  telephone: ["手机号", "Telephone"],
  password: ["密码", "Password"],
  code: ["身份验证器上的六位数字", "Six digits of the authenticator app"],
  sign_in: ["登录", "Sign in"],
  signing_in: ["正在登录…", "Signing in…"],
  sign_out: ["退出", "Sign out"],
  promise: [
    "看板只显示谁在哪个村、做哪一类服务；不显示叙述内容，不给人排名，不统计在线时长。",
    "The board shows who serves which village in which class of service: no narratives, "
      + "no ranking of people, no online time.",
  ],
  fill_both: ["请填写手机号和密码。", "Please enter the telephone number and the password."],
  bad_sign_in: [
    "手机号或密码不对，请核对后再试。",
    "The telephone number or the password is not right. Check both and try again.",
  ],
  bad_sign_in_next: [
    "如忘记密码，请联系本县的系统管理员重设。",
    "If the password is forgotten, ask the county’s system administrator to reset it.",
  ],
  wait_and_retry: ["请等 {n} 秒后再试。", "Try again in {n} second.|Try again in {n} seconds."],
  wait_a_little: ["请稍等片刻再试。", "Wait a moment, then try again."],
  session_over: ["登录已到期，请重新登录。", "Your sign-in has expired. Please sign in again."],
  grant_over: [
    "您在本县的权限已有变动，请重新登录；如有疑问，请联系本县的系统管理员。",
    "Your role in this county has changed. Please sign in again, or ask the county’s system "
      + "administrator.",
  ],
  signed_out: ["已退出。", "You are signed out."],
  sign_out_failed: [
    "没有退出成功：服务器没有答复。请检查网络后再点一次“退出”。",
    "Not signed out: the server did not answer. Check the network and press “Sign out” again.",
  ],
  no_unit: [
    "这个账号没有可看的县。看板供县级社工总站使用；请退出后换账号，或请系统管理员开通。",
    "This account has no county to look at. The board is for county hubs: sign out and use "
      + "another account, or ask the system administrator for access.",
  ],
  opening: ["正在打开看板…", "Opening the board…"],
  opening_failed: ["暂时打不开看板，正在自动重试。", "The board cannot be opened yet; retrying."],

  no_network: [
    "连不上服务器，请检查网络。",
    "The server cannot be reached. Please check the network.",
  ],
  slow: ["服务器太久没有答复。", "The server took too long to answer."],
  server_fault: ["服务器暂时出错（{status}）。", "The server has a fault just now ({status})."],
  not_allowed: ["这个账号不能看这个县。", "This account may not look at this county."],
  stale_today: ["以下仍是 {at} 的数字，正在自动重试。", "Figures below are from {at}; retrying."],
  no_today: ["还没有取得数字，正在自动重试。", "No figures yet; retrying."],

  county: ["县", "County"],
  unknown: ["未知", "Unknown"],
  connection: ["连接", "Connection"],
  live: ["实时 · {ago}更新", "Live · updated {ago}"],
  reconnecting: ["重新连接中", "Reconnecting"],
  as_of: ["数据截至 {at}", "as of {at}"],
  seconds_ago: ["{n} 秒前", "{n} s ago"],
  just_now: ["刚刚", "just now"],
  minutes_ago: ["{n} 分钟前", "{n} min ago"],
  hours_ago: ["{n} 小时前", "{n} h ago"],
  days_ago: ["{n} 天前", "{n} day ago|{n} days ago"],
  for_minutes: ["{n} 分钟", "{n} min"],
  for_hours: ["{n} 小时", "{n} h"],
  for_days: ["{n} 天", "{n} day|{n} days"],

  today: ["今日已收到", "Received today"],
  figures_of: ["{day} 的数字", "Figures of {day}"],
  silent: ["{n} 个站今天没有消息", "{n} station silent today|{n} stations silent today"],
  all_spoke: ["各站今天都有消息", "all stations heard today"],
  visits: ["走访", "Visits"],
  visits_note: ["服务 {persons} 人 · {times} 人次", "{persons} persons · {times} person-times"],
  check_ins: ["签到", "Check-ins"],
  held: ["待审", "Held"],
  refused: ["未通过", "Refused"],
  photos_missing: ["缺照片", "Photos missing"],
  incidents: ["未结危情", "Open incidents"],
  work_time: ["已记录工时", "Working time recorded"],
  hours: ["{n} 小时", "{n} h"],
  share: ["专业占 {n}", "{n} professional"],
  no_minutes: ["还没有工时记录", "No working time recorded yet"],
  professional: ["专业", "Professional"],
  assistive: ["协助", "Assistive"],
  administrative: ["行政", "Administrative"],
  professional_short: ["专业", "Prof."],
  assistive_short: ["协助", "Assist."],
  administrative_short: ["行政", "Admin."],

  feed: ["实时动态", "Live feed"],
  feed_empty: [
    "打开看板后的新动态会出现在这里；今天较早的已计入上方数字。",
    "What arrives from now on appears here; earlier records of today are in the figures above.",
  ],
  pause: ["暂停", "Pause"],
  resume: ["继续", "Resume"],
  paused: ["已暂停", "Paused"],
  fresh: ["有 {n} 条新动态", "{n} new change|{n} new changes"],
  gap: [
    "{from} 至 {to} 之间的动态可能没有全部显示，数字不受影响。",
    "Changes between {from} and {to} may be missing here; the figures are not affected.",
  ],
  updated: ["更新", "updated"],
  removed: ["记录已移出", "record removed"],
  happened: ["{at} 发生，后补传", "happened {at}, sent later"],
  by_order: ["{office}交办", "ordered by {office}"],

  villages: ["今日各村服务", "Today by village and class"],
  villages_sum: ["{n} 个村", "{n} village|{n} villages"],
  villages_empty: ["今天还没有收到走访。", "No visits received today yet."],
  village: ["村（社区）", "Village"],
  total: ["合计", "All"],
  minutes: ["分钟", "Minutes"],

  refusals: ["负面清单未通过", "Refused by the negative list"],
  refusals_note: ["按条款和交办单位统计，不按人", "never by person"],
  refusals_empty: ["今天收到的记录中没有未通过的。", "Nothing received today was refused."],
  clause: ["条款", "Clause"],
  office: ["交办单位", "Ordering office"],
  office_none: ["未写明", "Not stated"],
  office_merged: ["已合并（不足三人）", "Merged (under three authors)"],
  rules_merged: ["其余条款（已合并，不足三人）", "Other clauses (merged, under three authors)"],
  count: ["次数", "Count"],

  alerts: ["请县里看一看", "For the county to look at"],
  alerts_note: ["不针对社工本人", "about no worker"],
  trend: ["情况", "Trend"],
  trend_row: [
    "{n} 人近 {within} 天里有 {days} 天以上在机关值守",
    "{n} person on duty in an office on {days} or more of the last {within} days|{n} people on duty in an office on {days} or more of the last {within} days",
  ],

  photos: ["照片待补", "Photos still missing"],
  photos_empty: ["今天收到的走访不缺照片。", "No visit received today lacks a photo."],
  photos_row: ["{n} 张", "{n} photo|{n} photos"],

  stations: ["各站消息", "Stations, last heard"],
  stations_sum: ["{n} 个站，{heard} 个有过消息", "{heard} of {n} heard from"],
  stations_empty: ["还没有登记社工站。", "No stations are registered yet."],
  station: ["社工站", "Station"],
  heard_and_waiting: ["最近消息与待上传", "Last heard and waiting"],
  received_visits: ["已收走访", "Visits received"],
  heard: ["{ago}有消息", "last heard {ago}"],
  never_heard: ["未知：还没有过消息", "unknown: never heard from"],
  waiting_unknown: ["待上传未知", "waiting unknown"],
  waiting_none: ["无待上传", "nothing waiting"],
  waiting: ["{n} 条待上传", "{n} record waiting|{n} records waiting"],
  waiting_photos: ["另有 {n} 张照片", "also {n} photo|also {n} photos"],
  waiting_photos_unknown: ["照片未知", "photos unknown"],
  oldest: ["最早的已等 {long}", "oldest for {long}"],
};

const KEEP = "xiangyi-hub-lang";
const listeners = new Set();
let lang = remembered() === "en" ? "en" : "zh";

// Private windows may forbid storage; the choice then lasts as long as the page.
function remembered() {
  try {
    return localStorage.getItem(KEEP);
  } catch {
    return null;
  }
}

export const isChinese = () => lang === "zh";
export const locale = () => (lang === "zh" ? "zh-CN" : "en");

/** Puts the language on the page; call once at start. */
export function applyLang() {
  document.documentElement.lang = locale();
}

/** Changes to the other language, remembers it and tells every listener. */
export function switchLang() {
  lang = lang === "zh" ? "en" : "zh";
  try {
    localStorage.setItem(KEEP, lang);
  } catch {
    // the choice is kept in memory only
  }
  applyLang();
  listeners.forEach((listener) => listener());
}

/** Calls `listener` at each change of language; returns what stops it. */
export function onLang(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The sentence of `key` with its {places} filled; numbers are grouped as the language does. */
export function t(key, places = {}) {
  let sentence = WORDS[key][lang === "zh" ? 0 : 1];
  if (sentence.includes("|")) {
    const [one, other] = sentence.split("|");
    sentence = new Intl.PluralRules("en").select(places.n) === "one" ? one : other;
  }
  return sentence.replace(/\{(\w+)\}/g, (_, name) => {
    const place = places[name];
    return typeof place === "number" ? count(place) : String(place);
  });
}

/** The word for a code of `table`, or "" where this page knows none. */
export function codeWord(table, code) {
  return CODES[table]?.[code]?.[lang === "zh" ? 0 : 1] ?? "";
}

/** A whole number in words of the language; anything else is unknown and reads "—". */
export function count(number) {
  return Number.isFinite(number) ? new Intl.NumberFormat(locale()).format(number) : "—";
}
