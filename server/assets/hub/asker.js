// Asks one question again and again: soon when something wishes it, slowly when nothing does,
// never more often than every two seconds, and with growing pauses while the server fails.

const APART_MS = 2_000;
const RETRY_MS = [2_000, 5_000, 10_000, 20_000, 30_000];

/**
 * `ask()` is the question; `on.answer(answer)` and `on.problem(problem)` take what comes;
 * `on.pace()` says how long a quiet answer lasts, in milliseconds.
 */
export class Asker {
  #ask;
  #on;
  #askedAt = -Infinity;
  #flight = null;
  #timer = 0;
  #due = Infinity;
  #failures = 0;
  #over = false;

  constructor(ask, on) {
    this.#ask = ask;
    this.#on = on;
  }

  /** Asks as soon as the pauses allow. */
  wish() {
    if (this.#failures && this.#due < Infinity) return;
    this.#in(Math.max(0, this.#askedAt + APART_MS - performance.now()));
  }

  /** Asks now, or joins the question under way; resolves to the answer, or null on failure. */
  now() {
    this.#flight ??= this.#once().finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  // Of two appointments the sooner one stands.
  #in(wait) {
    const due = performance.now() + wait;
    if (this.#over || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#keep(), wait);
  }

  // An answer under way may be older than the wish, so it is followed by a question of its own.
  #keep() {
    this.#due = Infinity;
    if (this.#flight) this.#flight.then((answer) => answer && this.now());
    else this.now();
  }

  async #once() {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#askedAt = performance.now();
    let answer = null;
    try {
      answer = await this.#ask();
      this.#failures = 0;
      if (!this.#over) this.#on.answer(answer);
    } catch (problem) {
      const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
      this.#failures += 1;
      this.#in(Math.max(problem.retryMs ?? 0, pause));
      if (!this.#over) this.#on.problem(problem);
      return null;
    }
    this.#in(this.#on.pace());
    return answer;
  }
}
