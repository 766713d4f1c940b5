// Where the page starts: is somebody signed in? Shows the sign-in form or the board, and owns
// the header. Everything that ends a session comes back here, with a sentence saying why.

import { Problem, me as askMe, signIn, signOut } from "./api.js";
import { Board } from "./board.js";
import { fillWords, part, say, show } from "./dom.js";
import { clock, dayInWords, now } from "./when.js";
import { applyLang, isChinese, onLang, switchLang, t } from "./words.js";

const RETRY_MS = 5_000;
const HUB_ROLES = ["hub_officer", "hub_reviewer", "county_bureau"];
const header = document.querySelector("header");
const main = document.querySelector("main");
let board = null;
let countyName = "";
let retry = 0;
let relabelView = () => {};

function leaveView() {
  board?.close();
  board = null;
  clearTimeout(retry);
  relabelView = () => {};
  countyName = "";
}

/** Asks who is here; `reason` is the sentence to show should it be nobody. */
async function start(reason = "") {
  leaveView();
  showWaiting("opening");
  try {
    openFor(await askMe());
  } catch (problem) {
    if (problem.status === 401) return showSignIn(reason);
    showWaiting("opening_failed", problem);
    retry = setTimeout(() => start(reason), Math.max(problem.retryMs ?? 0, RETRY_MS));
  }
}

function showWaiting(key, problem = null, view = "waiting") {
  document.body.dataset.view = view;
  show(main, "waiting-view");
  relabelView = () => {
    say(part(main, "waiting"), t(key));
    say(part(main, "problem"), problem?.words ?? "");
    part(main, "problem").hidden = !problem;
  };
  writePage();
}

function showSignIn(reason = "") {
  leaveView();
  document.body.dataset.view = "sign-in";
  show(main, "sign-in-view");
  const form = main.querySelector("form");
  // A function, so that the sentence follows the language.
  let sentence = () => (reason ? t(reason) : "");
  let busy = false;
  relabelView = () => {
    const words = sentence();
    say(part(main, "problem"), words);
    part(main, "problem").hidden = !words;
    say(part(main, "submit"), t(busy ? "signing_in" : "sign_in"));
    form.setAttribute("aria-busy", String(busy));
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    sentence = () => "";
    relabelView();
    sentence = await trySignIn(form);
    busy = false;
    if (sentence) relabelView();
  });
  writePage();
  form.elements.telephone.focus();
}

// Null once the board is open, else a function that says what to do.
async function trySignIn(form) {
  const telephone = form.elements.telephone.value.replace(/[\s-]/g, "");
  const password = form.elements.password.value;
  if (!telephone || !password) {
    form.elements[telephone ? "password" : "telephone"].focus();
    return () => t("fill_both");
  }
  try {
    await signIn(telephone, password, form.elements.code.value.trim());
    openFor(await askMe());
    return null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const asksForCode = problem.body.code === "second-factor";
    if (asksForCode) {
      part(form, "factor").hidden = false;
      form.elements.code.select();
      return () => problem.words;
    }
    if (problem.status === 401) form.elements.password.select();
    return () => signInSentence(problem);
  }
}

function signInSentence(problem) {
  const space = isChinese() ? "" : " ";
  if (problem.status === 400 || problem.status === 401 || problem.status === 422) {
    const said = problem.body.detail ? problem.words : t("bad_sign_in");
    return said + space + t("bad_sign_in_next");
  }
  const wait = problem.retryMs > 0
    ? t("wait_and_retry", { n: Math.ceil(problem.retryMs / 1000) }) : t("wait_a_little");
  return problem.words + space + wait;
}

function openFor(me) {
  const units = countiesOf(me);
  say(part(header, "person"), me.person?.name ?? "");
  if (units.length === 0) return showWaiting("no_unit", null, "no-county");
  const choice = part(header, "county");
  choice.replaceChildren(...units.map(({ code, name }) => new Option(name ?? code, code)));
  const kept = sessionStorage.getItem("unit");
  choice.value = units.some(({ code }) => code === kept) ? kept : units[0].code;
  choice.hidden = units.length < 2;
  openBoard(choice.value, units.find(({ code }) => code === choice.value)?.name ?? "");
}

// The counties whose hub this person belongs to; units are those of grants that hold now.
function countiesOf(me) {
  const grants = (me.grants ?? []).filter((grant) => HUB_ROLES.includes(grant.role));
  const hubs = grants.map(({ unit }) => unit);
  return (me.units ?? []).filter(({ code }) => hubs.includes(code));
}

function openBoard(unit, name) {
  leaveView();
  document.body.dataset.view = "board";
  show(main, "board-view");
  countyName = name;
  relabelView = () => fillWords(main);
  const mine = new Board(part(main, "board"), unit, {
    connection: (state, text) => sayConnection(state, text),
    named: (known) => {
      countyName = known;
      writePage();
    },
    over: (reason) => start(reason === "grant-ended" ? "grant_over" : "session_over"),
  });
  board = mine;
  writePage();
  main.focus({ preventScroll: true });
}

function sayConnection(state, text) {
  const line = part(header, "connection");
  line.dataset.state = state;
  say(part(line, "text"), text);
}

async function leave() {
  const button = part(header, "sign-out");
  button.disabled = true;
  try {
    await signOut();
    showSignIn("signed_out");
  } catch (problem) {
    if (problem.status === 401) showSignIn("signed_out");
    else saySignOutFailed();
  }
  button.disabled = false;
}

function saySignOutFailed() {
  const bar = part(main, "problem");
  bar.hidden = false;
  say(bar, t("sign_out_failed"));
}

function writePage() {
  const view = document.body.dataset.view;
  fillWords(document.body);
  const other = part(header, "lang");
  other.lang = isChinese() ? "en" : "zh-CN";
  say(part(header, "name"), countyName);
  document.title = view === "board" && countyName
    ? t("page_title", { name: countyName }) : t("sign_in_title");
  writeClock();
  relabelView();
}

function writeClock() {
  const at = now();
  const line = part(header, "clock");
  say(line, `${dayInWords(at)} ${clock(at)}`);
}

applyLang();
onLang(writePage);
part(header, "lang").addEventListener("click", switchLang);
part(header, "sign-out").addEventListener("click", leave);
part(header, "county").addEventListener("change", (event) => {
  const { value, selectedOptions } = event.target;
  sessionStorage.setItem("unit", value);
  openBoard(value, selectedOptions[0].text);
});
setInterval(writeClock, 1_000);
start();
