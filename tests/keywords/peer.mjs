// Runs the replacement functions of the Deploy CLI over the cases of cases.json and compares what they give with the
// table's column `peer`; with --write it writes the column anew. Takes the folder where auth0-deploy-cli is installed.
//
//     node tests/keywords/peer.mjs target/peer [--write]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [folder, write] = process.argv.slice(2);
const installed = join(resolve(folder), "node_modules", "auth0-deploy-cli");
const peer = createRequire(join(installed, "package.json"));
const { keywordReplace, loadFileAndReplaceKeywords } = peer("./lib/tools/utils.js");
const yaml = peer("js-yaml");
const table = new URL("cases.json", import.meta.url);
const scratch = mkdtempSync(join(tmpdir(), "keywords-"));

// What the Deploy CLI makes of a case: the text, and the value that it parses.
function run({ text, as, mappings, environment }) {
  // `Object.assign(mappings, process.env)` of its import.
  const all = Object.assign({ ...mappings }, environment);
  let replaced;
  try {
    if (as === "companion") {
      const file = join(scratch, "companion");
      writeFileSync(file, text);
      return { text: loadFileAndReplaceKeywords(file, { mappings: all }) };
    }
    replaced = keywordReplace(text, all);
  } catch (error) {
    return { throws: error.name };
  }
  try {
    const value = as === "json" ? JSON.parse(replaced) : yaml.load(replaced);
    return { text: replaced, value: value ?? null };
  } catch {
    return { text: replaced, invalid: true };
  }
}

// The column is a line of its own in each case, so that all else stays as it was written, byte for byte.
const head = '    "peer": ';
const before = readFileSync(table, "utf8");
const cases = JSON.parse(before);
const lines = before.split("\n");
const places = lines.flatMap((line, at) => (line.startsWith(head) ? [at] : []));
if (places.length !== cases.length) throw new Error(`${cases.length} cases, ${places.length} lines "peer"`);
let different = 0;
cases.forEach((one, at) => {
  const comma = lines[places[at]].endsWith(",") ? "," : "";
  const line = `${head}${JSON.stringify(run(one))}${comma}`;
  if (line !== lines[places[at]]) {
    different += 1;
    if (!write) console.error(`${one.name}:\n  table ${lines[places[at]].trim()}\n  peer  ${line.trim()}`);
  }
  lines[places[at]] = line;
});
rmSync(scratch, { recursive: true });
const { version } = peer("./package.json");
if (write) writeFileSync(table, lines.join("\n"));
console.log(`Deploy CLI ${version}: ${cases.length} cases of keywords, ${different} ${write ? "written anew" : "differ"}`);
process.exitCode = different && !write ? 1 : 0;
