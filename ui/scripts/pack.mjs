// Packs the built files once, as well as it goes, so that the server never has to. What does not shrink stays plain.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const LIMIT = 250 * 1024;

function files(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const sizes = new Map();
for (const path of files(dist)) {
  const plain = readFileSync(path);
  const name = path.slice(dist.length);
  sizes.set(name, plain.length);
  // The first page is changed on its way out; fonts are packed already.
  if (!/\.(js|css|svg)$/.test(path)) continue;
  const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  const gzip = gzipSync(plain, { level: 9 });
  writeFileSync(`${path}.br`, brotli);
  writeFileSync(`${path}.gz`, gzip);
  // Over plain HTTP browsers take gzip only, so that is what counts.
  sizes.set(name, gzip.length);
}
writeFileSync(join(dist, ".gitkeep"), "");

// First load: what the first page names, the scripts it imports at once, and the fonts of the style sheet.
const first = new Set(["index.html"]);
const index = readFileSync(join(dist, "index.html"), "utf8");
for (const [, name] of index.matchAll(/(?:src|href)="\.\/([^"]+)"/g)) first.add(name);
for (const name of [...first]) {
  const text = readFileSync(join(dist, name), "utf8");
  if (name.endsWith(".js")) {
    for (const [, part] of text.matchAll(/(?:from|^import|;import)\s*"\.\/([^"]+\.js)"/g)) first.add(`assets/${part}`);
  }
  if (name.endsWith(".css")) {
    for (const [, part] of text.matchAll(/url\(\.?\/?([^)"']+\.woff2)\)/g)) first.add(`assets/${part}`);
  }
}
let total = 0;
for (const name of first) {
  total += sizes.get(name) ?? 0;
  console.log(`${String(sizes.get(name)).padStart(8)}  ${name}`);
}
const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
console.log(
  `first load ${(total / 1024).toFixed(0)} KiB of at most ${LIMIT / 1024}, all screens ${(all / 1024).toFixed(0)} KiB`,
);
if (total > LIMIT) {
  console.error("The first load is too large: load what is not needed at once by route.");
  process.exit(1);
}
