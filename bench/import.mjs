// How fast `actiongraph import` is, and how much memory it takes.
//
//   node bench/import.mjs [ACTIONS]          (1,000,000 unless said otherwise, two cart items each)
//
// Generates the export once (bench/out/), imports it into a fresh SQLite file, imports it again (which changes
// nothing), and prints actions a second and the largest resident memory of each. With BENCH_POSTGRES_URL set to a
// database that may be written to, the same there.

import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { generate } from "./generate.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const actions = Number(process.argv[2] ?? 1_000_000);
const binary = process.env.ACTIONGRAPH_BIN ?? here("../target/demo/actiongraph");
const folder = here("out");

/** The largest resident memory of a running process so far, in MiB; 0 when it has just ended. */
function peak(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function measure(what, file, url) {
  const args = ["import", file, "--publisher", "bench", "--database-url", url];
  const begun = process.hrtime.bigint();
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (said += text));
  let memory = 0;
  const watch = setInterval(() => (memory = Math.max(memory, peak(child.pid))), 50);
  const [code] = await once(child, "close");
  clearInterval(watch);
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  if (code !== 0) throw new Error(`${what}: exit code ${code}\n${said}`);
  const rate = Math.round(actions / seconds).toLocaleString("en");
  console.log(`${what.padEnd(34)} ${seconds.toFixed(1).padStart(7)} s ${rate.padStart(9)} actions/s ${memory.toFixed(0).padStart(5)} MiB`);
}

if (!existsSync(binary)) {
  console.error(`there is no ${binary}; run: make build`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
const file = `${folder}/export-${actions}.json`;
if (!existsSync(file)) {
  const out = createWriteStream(`${file}.part`);
  await generate(out, actions, 2);
  out.end();
  await once(out, "close");
  const { renameSync } = await import("node:fs");
  renameSync(`${file}.part`, file);
}
console.log(`${actions.toLocaleString("en")} actions, two items each, ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB of JSON`);
const database = `${folder}/bench.db`;
for (const end of ["", "-wal", "-shm"]) rmSync(database + end, { force: true });
await measure("SQLite, first import", file, `sqlite://${database}`);
await measure("SQLite, the same again", file, `sqlite://${database}`);
console.log(`the SQLite file is ${(statSync(database).size / 2 ** 20).toFixed(0)} MiB`);
if (process.env.BENCH_POSTGRES_URL) {
  await measure("PostgreSQL, first import", file, process.env.BENCH_POSTGRES_URL);
  await measure("PostgreSQL, the same again", file, process.env.BENCH_POSTGRES_URL);
}
