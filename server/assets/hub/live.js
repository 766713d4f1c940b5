// The stream of changes. The browser resumes a broken line by itself (Last-Event-ID); this file
// adds what it does not do: notice a line that is open but silent, and come back after the
// server refused it. What state the line is in is always told, never guessed.

const PING_MISSED_MS = 50_000; // the server pings every 20 s
const LOOK_EVERY_MS = 5_000;
const BACK_OFF_MS = [1_000, 2_000, 5_000, 10_000, 20_000, 30_000];

/**
 * Keeps the stream behind `cursor` open until `close()`.
 *
 * `on.change(change)`, `on.poke()`; `on.heard()` at every sign of life; `on.lost()` when the line
 * is not known to work; `on.closed(code)` when the grant ended, after which nothing more comes.
 * `on.refused()` is asked after a second refusal and resolves to a fresh cursor, or to null when
 * the server does not answer at all. The fresh cursor is used only if an answering server still
 * refuses the old one; `on.skipped()` then says, once, that changes in between are not shown.
 */
export class Live {
  #on;
  #last;
  #source = null;
  #heardAt = 0;
  #refusals = 0;
  #doubted = false;
  #jumped = false;
  #again = 0;
  #watch;

  constructor(cursor, on) {
    this.#last = cursor;
    this.#on = on;
    this.#watch = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#open();
  }

  close() {
    clearTimeout(this.#again);
    clearInterval(this.#watch);
    this.#watch = 0;
    this.#source.close();
  }

  #open() {
    const source = new EventSource(`/v1/live?cursor=${encodeURIComponent(this.#last)}`);
    this.#source = source;
    this.#heardAt = performance.now();
    source.addEventListener("open", () => {
      this.#refusals = 0;
      this.#doubted = false;
      if (this.#jumped) this.#on.skipped();
      this.#jumped = false;
      this.#alive();
    });
    source.addEventListener("ping", () => this.#alive());
    source.addEventListener("poke", () => {
      this.#alive();
      this.#on.poke();
    });
    source.addEventListener("change", (event) => this.#changed(event));
    source.addEventListener("closed", (event) => this.#closed(event));
    source.addEventListener("error", () => this.#failed());
  }

  #alive() {
    this.#heardAt = performance.now();
    this.#on.heard();
  }

  #changed(event) {
    if (event.lastEventId) this.#last = event.lastEventId;
    this.#alive();
    const change = parsed(event.data);
    if (change) this.#on.change(change);
  }

  // Any other reason (a stopping server, a slow reader dropped) is one to come back from.
  #closed(event) {
    if (parsed(event.data)?.code === "grant-ended") {
      this.close();
      this.#on.closed("grant-ended");
    } else {
      this.#on.lost();
      this.#comeBack();
    }
  }

  // CONNECTING: the browser is coming back by itself. CLOSED: refused, so it is our turn.
  #failed() {
    if (!this.#watch) return;
    this.#on.lost();
    if (this.#source.readyState === EventSource.CLOSED) this.#comeBack();
  }

  #look() {
    if (performance.now() - this.#heardAt < PING_MISSED_MS) return;
    if (this.#source.readyState === EventSource.CLOSED) return;
    this.#on.lost();
    this.#comeBack();
  }

  #comeBack() {
    this.#source.close();
    clearTimeout(this.#again);
    const wait = BACK_OFF_MS[Math.min(this.#refusals, BACK_OFF_MS.length - 1)];
    this.#refusals += 1;
    this.#again = setTimeout(() => this.#retry(), wait);
  }

  async #retry() {
    if (this.#refusals > 1) {
      const fresh = await this.#on.refused();
      if (!this.#watch) return;
      if (fresh && this.#doubted) {
        this.#last = fresh;
        this.#jumped = true;
      }
      this.#doubted = fresh !== null;
    }
    this.#open();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
