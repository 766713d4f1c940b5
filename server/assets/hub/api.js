// Talks to the server. Signed in by the HttpOnly cookie alone: no token is read or kept here.
// Every failure comes out as one `Problem`, with words for people and a hint when to try again.

import { isChinese, t } from "./words.js";

const ANSWER_WITHIN_MS = 15_000;

/** A failed request: `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.code ?? `status-${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.body = body;
    this.retryMs = Number.isFinite(body.retry_ms) ? body.retry_ms : null;
  }

  /** The server's own words in the language in force, else this page's. */
  get words() {
    const { detail, detail_en, title } = this.body;
    const said = isChinese() ? detail ?? title : detail_en ?? detail ?? title;
    if (said) return said;
    if (this.code === "slow") return t("slow");
    if (this.status === 0) return t("no_network");
    if (this.status === 403 || this.status === 404) return t("not_allowed");
    return t("server_fault", { status: String(this.status) });
  }
}

/** One request; resolves to the JSON answer (null when empty), rejects with a `Problem`. */
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Xiangyi-CSRF"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    text = await answer.text();
  } catch (fault) {
    throw new Problem(0, { code: fault?.name === "TimeoutError" ? "slow" : "no-answer" });
  }
  const json = parsed(text);
  if (!answer.ok) throw new Problem(answer.status, withRetryAfter(json ?? {}, answer));
  if (text && json === null) throw new Problem(answer.status, { code: "not-json" });
  return json;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// A proxy in between answers without our body; its header is then the only hint.
function withRetryAfter(body, answer) {
  const seconds = Number(answer.headers.get("Retry-After"));
  if (body.retry_ms !== undefined || !(seconds > 0)) return body;
  return { ...body, retry_ms: seconds * 1000 };
}

export const me = () => call("GET", "/v1/me");
export const today = (unit) => call("GET", `/v1/today?unit=${encodeURIComponent(unit)}`);
export const signOut = () => call("DELETE", "/v1/sessions");

/** Opens a session by cookie; the tokens in the answer are dropped unread. */
export async function signIn(telephone, password, code) {
  const factor = code ? { second_factor: code } : {};
  await call("POST", "/v1/sessions", { telephone, password, cookie: true, ...factor });
}
