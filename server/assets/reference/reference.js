// The API reference: every operation and every shape of /v1/openapi.json, and nothing else. No
// library, no inline script, no request but that one; text only ever goes in as text.

const KEEP = "xiangyi-hub-lang";
const DOCUMENT = "/v1/openapi.json";

// One line holds both languages, Chinese first.
const WORDS = {
  title: ["乡驿接口说明", "Xiangyi API reference"],
  skip: ["跳到接口", "Skip to the operations"],
  other_lang: ["English", "中文"],
  find: ["查找：路径、方法、字段", "Find: path, method, member"],
  document: ["OpenAPI 文件", "OpenAPI document"],
  groups: ["分组", "Groups"],
  opening: ["正在读取接口文件…", "Reading the document…"],
  failed: [
    "读不到接口文件，请检查网络后刷新页面。",
    "The document cannot be read. Check the network and reload the page.",
  ],
  nothing: ["没有找到，请换一个词。", "Nothing was found. Try another word."],
  shapes: ["数据形状", "Shapes"],
  signed_in: ["需要登录", "signed in"],
  anybody: ["无需登录", "anybody"],
  asks: ["参数", "Parameters"],
  sends: ["请求内容", "Request body"],
  answers: ["答复", "Answers"],
  headers: ["答复头", "Headers"],
  must: ["必填", "required"],
  read_only: ["系统填写", "by the server"],
  or_null: ["可为 null", "or null"],
  list_of: ["列表：", "list of "],
  at_most: ["（最多 {n} 项）", " (at most {n})"],
  anything: ["任意", "anything"],
  no_body: ["无内容", "no body"],
  other_status: ["其他", "any other"],
};

// Groups in the order of the page: first fitting prefix wins.
const GROUPS = [
  ["/v1/sessions", "登录", "Signing in"],
  ["/v1/devices", "登录", "Signing in"],
  ["/v1/me", "本人账号", "One's own account"],
  ["/v1/sync", "同步", "The exchange"],
  ["/v1/live", "同步", "The exchange"],
  ["/v1/check-ins", "签到", "Check-ins"],
  ["/v1/visits", "走访", "Visits"],
  ["/v1/work-times", "工时", "Work times"],
  ["/v1/clients", "服务对象", "Clients"],
  ["/v1/activities", "活动", "Activities"],
  ["/v1/sign-ups", "报名", "Sign-ups"],
  ["/v1/needs", "需求", "Needs"],
  ["/v1/resources", "资源", "Resources"],
  ["/v1/links", "资源链接", "Links"],
  ["/v1/order-reports", "受命报告", "Order reports"],
  ["/v1/reviews", "审核", "Reviews"],
  ["/v1/held", "待审", "Held items"],
  ["/v1/verdicts", "裁定", "Verdicts"],
  ["/v1/refusals/ledger", "县里的数字", "The county's numbers"],
  ["/v1/refusals", "拒收回执", "Refusals"],
  ["/v1/incident", "危情", "Incidents"],
  ["/v1/photos", "照片", "Photographs"],
  ["/v1/today", "县里的数字", "The county's numbers"],
  ["/v1/kpi", "县里的数字", "The county's numbers"],
  ["/v1/escalated", "县里的数字", "The county's numbers"],
  ["/v1/packs", "规则包", "Rule packs"],
  ["", "服务器", "The server"],
];
const METHODS = ["get", "head", "post", "patch", "put", "delete", "options"];

let chinese = readLang() !== "en";
const t = (key) => WORDS[key][chinese ? 0 : 1];
const part = (name) => document.querySelector(`[data-part="${name}"]`);

function readLang() {
  try {
    return localStorage.getItem(KEEP);
  } catch {
    return null;
  }
}

/** A new element with a class and children (elements or text). */
function el(tag, name, ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

function link(name) {
  const node = el("a", "shape", name);
  node.href = `#shape-${name}`;
  return node;
}

const nameOf = (schema) => schema.$ref?.split("/").pop();
const groupOf = (path) => GROUPS.findIndex(([prefix]) => path.startsWith(prefix));

/** A schema in one line, as far as it goes; references are links. */
function short(schema) {
  if (schema.$ref) return [link(nameOf(schema))];
  const either = schema.oneOf ?? schema.anyOf;
  if (either) {
    const real = either.filter((one) => one.type !== "null");
    const said = real.flatMap((one, at) => (at ? [" | ", ...short(one)] : short(one)));
    return real.length < either.length ? [...said, " ", el("i", "", t("or_null"))] : said;
  }
  if (schema.const !== undefined) return [el("code", "", JSON.stringify(schema.const))];
  if (schema.enum) {
    return schema.enum.flatMap((one, at) => [at ? " " : "", el("code", "", String(one))]);
  }
  const types = [schema.type ?? []].flat();
  if (types.includes("array")) return [t("list_of"), ...short(schema.items ?? {}), most(schema)];
  const type = types.filter((one) => one !== "null").join(" | ");
  const said = [schema.format ?? type, bounds(schema)].filter(Boolean).join(" ");
  const none = types.includes("null") ? ` ${t("or_null")}` : "";
  return [(said || t("anything")) + none];
}

const most = ({ maxItems: n }) => (n === undefined ? "" : t("at_most").replace("{n}", n));

function bounds({ minimum, maximum, minLength, maxLength, pattern }) {
  const far = (number) => number === undefined || Math.abs(number) > Number.MAX_SAFE_INTEGER;
  if (pattern) return pattern;
  if (maxLength !== undefined) return `${minLength ? `${minLength}…` : "≤ "}${maxLength}`;
  if (!far(minimum) && !far(maximum)) return `${minimum}…${maximum}`;
  return far(minimum) ? "" : `≥ ${minimum}`;
}

/** Members of an object, and of what is nested in it without a name of its own. */
function members(schema) {
  const rows = el("dl", "members");
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    rows.append(row(name, member, (schema.required ?? []).includes(name)));
  }
  const more = schema.additionalProperties;
  if (more?.type || more?.$ref) rows.append(row("*", more, false));
  return rows;
}

function row(name, schema, must) {
  const marks = [must && t("must"), schema.readOnly && t("read_only")].filter(Boolean);
  const title = el("dt", "", el("code", "", name), el("span", "must", marks.join(" ")));
  const said = el("dd", "", ...short(schema));
  if (schema.description) said.append(" ", el("span", "said", schema.description));
  const real = (schema.anyOf ?? schema.oneOf ?? []).find((one) => one.type !== "null") ?? schema;
  const nested = real.items ?? real;
  if (!nested.$ref && (nested.properties || nested.additionalProperties?.type)) {
    said.append(members(nested));
  }
  return el("div", "", title, said);
}

function body(schema) {
  const either = schema.oneOf?.filter((one) => one.properties) ?? [];
  if (either.length) return el("div", "", ...either.map(members));
  if (schema.properties) return members(schema);
  return el("p", "", ...short(schema));
}

function section(title, ...children) {
  return el("section", "", el("h4", "", title), ...children);
}

/** Media types with their shapes. */
function content(of) {
  return Object.entries(of ?? {}).map(([media, { schema }]) =>
    el("div", "", el("p", "media", media), schema ? body(schema) : ""));
}

function answer([status, { content: of, headers }]) {
  const told = status === "default" ? t("other_status") : status;
  const title = el("p", "status", el("b", "", told), of ? "" : ` ${t("no_body")}`);
  const names = Object.keys(headers ?? {}).join(", ");
  const heads = names ? el("p", "said", `${t("headers")}: ${names}`) : "";
  return el("div", "answer", title, heads, ...content(of));
}

function operation({ method, path, told }) {
  const who = told.security ? t("signed_in") : t("anybody");
  const head = el("summary", "", el("b", `method is-${method}`, method.toUpperCase()),
    el("code", "", path), el("span", "said", told.summary ?? ""), el("span", "who", who));
  const node = el("details", "operation", head);
  node.id = told.operationId;
  node.words = JSON.stringify([method, path, told]).toLowerCase();
  node.addEventListener("toggle", () => {
    if (node.open && node.children.length === 1) node.append(...sections(told));
  });
  return node;
}

function sections({ description, parameters = [], requestBody, responses }) {
  const asked = el("dl", "members");
  for (const { name, in: place, required, schema } of parameters) {
    asked.append(row(name, { ...schema, description: place }, required));
  }
  return [
    description ? el("p", "", description) : null,
    parameters.length ? section(t("asks"), asked) : null,
    requestBody ? section(t("sends"), ...content(requestBody.content)) : null,
    section(t("answers"), ...Object.entries(responses).map(answer)),
  ].filter(Boolean);
}

function shape([name, schema]) {
  const node = el("details", "operation", el("summary", "", el("code", "", name)));
  node.id = `shape-${name}`;
  node.words = JSON.stringify([name, schema]).toLowerCase();
  if (schema.description) node.append(el("p", "", schema.description));
  node.append(body(schema));
  return node;
}

/** All operations by group, in the order of the page. */
function grouped(api) {
  const groups = new Map();
  const order = GROUPS.map(([, zh]) => zh);
  for (const [path, methods] of Object.entries(api.paths)) {
    const [, zh, en] = GROUPS[groupOf(path)];
    if (!groups.has(zh)) groups.set(zh, { zh, en, list: [] });
    for (const method of METHODS.filter((one) => methods[one])) {
      groups.get(zh).list.push({ method, path, told: methods[method] });
    }
  }
  return [...groups.values()].sort((a, b) => order.indexOf(a.zh) - order.indexOf(b.zh));
}

function group(id, title, nodes) {
  const at = el("a", "", title);
  at.href = `#${id}`;
  part("groups").append(at);
  const block = el("section", "group", el("h2", "", title), ...nodes);
  block.id = id;
  return block;
}

function draw(api) {
  document.documentElement.lang = chinese ? "zh-CN" : "en";
  document.title = `${t("title")} · ${chinese ? "乡驿" : "Xiangyi"}`;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  part("groups").setAttribute("aria-label", t("groups"));
  part("find").placeholder = t("find");
  part("find").setAttribute("aria-label", t("find"));
  if (!api) return;
  part("groups").replaceChildren();
  part("version").textContent = api.info.version;
  const blocks = grouped(api).map(({ zh, en, list }, at) =>
    group(`group-${at}`, chinese ? zh : en, list.map(operation)));
  const shapes = Object.entries(api.components.schemas).map(shape);
  part("operations").replaceChildren(...blocks, group("shapes", t("shapes"), shapes));
  find();
}

/** Hides what does not hold every word that was typed. */
function find() {
  const words = part("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const block of document.querySelectorAll(".group")) {
    const nodes = [...block.querySelectorAll(".operation")];
    for (const node of nodes) node.hidden = !words.every((word) => node.words.includes(word));
    block.hidden = nodes.every((node) => node.hidden);
  }
  const none = document.querySelector(".group:not([hidden])") === null;
  part("notice").hidden = !none;
  part("notice").textContent = t("nothing");
}

/** Opens what the address names. */
function go() {
  const node = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!node) return;
  if (node.hidden) {
    part("find").value = "";
    find();
  }
  if (node.tagName === "DETAILS") node.open = true;
  node.scrollIntoView();
}

async function start() {
  let api = null;
  draw(api);
  part("lang").addEventListener("click", () => {
    chinese = !chinese;
    try {
      localStorage.setItem(KEEP, chinese ? "zh" : "en");
    } catch {
      // the choice is kept in memory only
    }
    draw(api);
    go();
  });
  part("find").addEventListener("input", find);
  addEventListener("hashchange", go);
  try {
    const answered = await fetch(DOCUMENT, { headers: { Accept: "application/json" } });
    if (!answered.ok) throw new Error(String(answered.status));
    api = await answered.json();
  } catch {
    part("notice").dataset.t = "failed";
    part("notice").textContent = t("failed");
    return;
  }
  delete part("notice").dataset.t;
  draw(api);
  go();
}

start();
