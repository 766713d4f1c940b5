// The live feed: newest first, at most 200 rows, at most four updates a second. It holds still
// while somebody reads it (pointer over it, focus in it, scrolled down, or "pause") and counts
// what waits; only that count speaks to a screen reader.

import { part, say } from "./dom.js";
import { rowOf } from "./row.js";
import { onLang, t } from "./words.js";

const ROWS_MAX = 200;
const MARKS_MAX = 5_000;
const UPDATE_EVERY_MS = 250;
const COUNT_EVERY_MS = 1_000;

/** Runs the feed in `root`; `titleOf(rule)` gives a rule's title where it is known. */
export class Feed {
  #root;
  #list;
  #fresh;
  #pause;
  #titleOf;
  #seen = new Set();
  #shown = [];
  #waiting = [];
  #waitingCount = 0;
  #paused = false;
  #reading = false;
  #updateTimer = 0;
  #countTimer = 0;
  #stops;

  constructor(root, titleOf) {
    this.#root = root;
    this.#titleOf = titleOf;
    this.#list = part(root, "rows");
    this.#fresh = part(root, "fresh");
    this.#pause = part(root, "pause");
    this.#stops = [
      watchPointer((at) => this.#reads(at), (over) => this.#read(over)),
      onLang(() => this.#relabel()),
    ];
    this.#list.addEventListener("scroll", () => this.#release(), { passive: true });
    this.#list.addEventListener("blur", () => this.#release());
    this.#fresh.addEventListener("click", () => this.#showFresh());
    this.#pause.addEventListener("click", () => this.#togglePause());
    this.#sayPause();
  }

  /** Takes a change in; one that came before (another stream, a resume) is dropped. */
  push(change) {
    const mark = markOf(change);
    if (this.#seen.has(mark)) return;
    this.#seen.add(mark);
    if (this.#seen.size > MARKS_MAX) this.#seen.delete(this.#seen.values().next().value);
    this.#take(change);
  }

  /** Says in the feed that changes between two times may be missing. */
  gap(from, to) {
    this.#take({ gap: true, from, to });
  }

  close() {
    this.#stops.forEach((stop) => stop());
    clearTimeout(this.#updateTimer);
    clearTimeout(this.#countTimer);
  }

  get #held() {
    const focused = document.activeElement === this.#list && this.#list.matches(":focus-visible");
    return this.#paused || this.#reading || focused || this.#list.scrollTop > 4;
  }

  #take(entry) {
    this.#waiting.unshift(entry);
    if (this.#waiting.length > ROWS_MAX) this.#waiting.length = ROWS_MAX;
    this.#waitingCount += 1;
    this.#updateTimer ||= setTimeout(() => this.#update(), UPDATE_EVERY_MS);
  }

  #update() {
    this.#updateTimer = 0;
    if (!this.#held) this.#flush();
    else if (!this.#countTimer) this.#tellCount();
  }

  // At most once a second, or a screen reader would speak without end.
  #tellCount() {
    this.#sayCount();
    this.#countTimer = setTimeout(() => {
      this.#countTimer = 0;
      if (this.#waitingCount) this.#sayCount();
    }, COUNT_EVERY_MS);
  }

  #sayCount() {
    say(this.#fresh, this.#waitingCount ? t("fresh", { n: this.#waitingCount }) : "");
    this.#fresh.hidden = !this.#waitingCount;
  }

  #flush() {
    if (!this.#waiting.length) return;
    const rows = this.#waiting.map((entry) => rowOf(entry, this.#titleOf));
    rows.forEach((row) => row.classList.add("arrives"));
    this.#list.prepend(...rows);
    this.#shown = [...this.#waiting, ...this.#shown].slice(0, ROWS_MAX);
    while (this.#list.children.length > ROWS_MAX) this.#list.lastElementChild.remove();
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#sayCount();
    part(this.#root, "empty").hidden = true;
  }

  #release() {
    if (!this.#held) this.#flush();
  }

  #read(over) {
    this.#reading = over && this.#shown.length > 0;
    this.#release();
  }

  // Over the rows or on the way to the count, but not on "pause", which has its own say.
  #reads(at) {
    return this.#root.contains(at) && !this.#pause.contains(at);
  }

  #showFresh() {
    this.#list.scrollTop = 0;
    this.#flush();
    this.#pause.focus({ preventScroll: true });
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#sayPause();
    this.#release();
  }

  #sayPause() {
    say(this.#pause, t(this.#paused ? "resume" : "pause"));
    part(this.#root, "paused").hidden = !this.#paused;
  }

  #relabel() {
    const top = this.#list.scrollTop;
    this.#list.replaceChildren(...this.#shown.map((entry) => rowOf(entry, this.#titleOf)));
    this.#list.scrollTop = top;
    this.#sayPause();
    this.#sayCount();
  }
}

// One change may reach us through several streams and again after a resume; it is one row.
function markOf(change) {
  const body = change.body ?? {};
  const evidence = body.evidence ?? body.derived?.evidence;
  return [change.shard, change.id, change.rev, change.op, change.state, evidence].join(" ");
}

// A page that appears under a resting pointer is not being read: only a pointer that has really
// moved counts, so a click on "sign in" does not leave the feed standing still.
function watchPointer(reads, tell) {
  let at = null;
  const moved = (event) => {
    const here = `${event.clientX},${event.clientY}`;
    const still = at === null || at === here;
    at = here;
    if (!still && event.pointerType !== "touch") tell(reads(event.target));
  };
  const left = () => tell(false);
  document.addEventListener("pointermove", moved, { passive: true });
  document.documentElement.addEventListener("pointerleave", left);
  return () => {
    document.removeEventListener("pointermove", moved);
    document.documentElement.removeEventListener("pointerleave", left);
  };
}
