// Compares two exports: the same files, each with the same values but for the order of keys and lists; companion files
// byte for byte. Prints what differs with its place.
//
//     node tests/peer/same.mjs target/peer ONE OTHER
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [peer, one, other] = process.argv.slice(2);
const yaml = createRequire(join(resolve(peer), "node_modules", "auth0-deploy-cli", "package.json"))("js-yaml");
const read = (file) => readFileSync(file, "utf8");
const differences = [];

// Each import of the Deploy CLI publishes every module once more (`publishActionModules` of its actionModules.js), and it
// exports how often that was.
const counted = ["latest_version_number"];

function files(root) {
  const paths = readdirSync(root, { recursive: true }).filter((path) => statSync(join(root, path)).isFile());
  return paths.sort();
}

// A value of which neither the order of members nor that of elements is left.
function ordered(value) {
  if (Array.isArray(value)) {
    const text = (element) => JSON.stringify(element);
    return value.map(ordered).sort((a, b) => (text(a) < text(b) ? -1 : 1));
  }
  if (value === null || typeof value !== "object") return value;
  const names = Object.keys(value).filter((name) => !counted.includes(name));
  return Object.fromEntries(names.sort().map((name) => [name, ordered(value[name])]));
}

function compare(place, a, b) {
  const members = (value) => value !== null && typeof value === "object";
  if (!members(a) || !members(b) || Array.isArray(a) !== Array.isArray(b)) {
    if (a !== b) differences.push(`${place}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
    return;
  }
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const at = a[name]?.name ?? b[name]?.name;
    compare(`${place}/${name}${Array.isArray(a) && at ? ` (${at})` : ""}`, a[name], b[name]);
  }
}

const [ours, others] = [files(one), files(other)];
for (const path of new Set([...ours, ...others])) {
  if (!ours.includes(path) || !others.includes(path)) {
    differences.push(`${path} is only in ${ours.includes(path) ? one : other}`);
    continue;
  }
  const [a, b] = [read(join(one, path)), read(join(other, path))];
  const parse = path.endsWith(".json") ? JSON.parse : path.endsWith(".yaml") ? yaml.load : undefined;
  if (parse) compare(path, ordered(parse(a)), ordered(parse(b)));
  else if (a !== b) differences.push(`${path} differs`);
}
for (const difference of differences) console.error(difference);
console.log(`${ours.length} files, ${differences.length} differences`);
process.exitCode = differences.length || !ours.length ? 1 : 0;
