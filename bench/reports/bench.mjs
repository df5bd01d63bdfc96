// The report benchmark: corpus, import by the product, questions over HTTP beside the same by hand, sizes. It runs
// within `scripts/with-postgres`; `bench/reports/run` calls it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeFile as writeCorpus } from "./corpus.mjs";
import { Postgres, Sqlite } from "./databases.mjs";
import { ITEMS, numbers, variables } from "./items.mjs";
import { load } from "./load.mjs";
import { busy, cpuOf, peak, spread } from "./measure.mjs";
import { Peer } from "./peer.mjs";
import { markdown } from "./report.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    databases: { type: "string", default: "postgres,sqlite" },
    items: { type: "string", default: Object.keys(ITEMS).join(",") },
    seconds: { type: "string", default: "5" },
    "no-peer": { type: "boolean", default: false },
    "no-hand": { type: "boolean", default: false },
    "no-columns": { type: "boolean", default: false },
    keep: { type: "string" },
  },
});
const actions = Number(positionals[0] ?? 2_000_000);
const seconds = Number(options.seconds);
const asked = options.items.split(",");
const byHand = !options["no-hand"];
const withColumns = !options["no-columns"];
const binary = process.env.ACTIONGRAPH_BIN ?? here("../../target/demo/actiongraph");
const PUBLISHER = "bench";
const CLIENTS = [1, 16];
const WITHOUT_INDEX = "the same without our index over them";
/** Ranges whose answers are compared, by number. */
const COMPARED = [1, 5, 11];

const say = (text) => console.error(`${new Date().toISOString().slice(11, 19)}  ${text}`);

/** Settings of the person's own server must not reach ours. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^ACTIONGRAPH_|^TEST_POSTGRES/.test(name)),
);

/** Everything that is started, so that nothing outlives us. */
const started = new Set();
function start(command, args, log, extra = {}) {
  const file = openSync(log, "a");
  const child = spawn(command, args, { stdio: ["ignore", file, file], env: { ...environment, ...extra } });
  started.add(child);
  child.once("close", () => started.delete(child));
  return child;
}
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await ended;
  clearTimeout(late);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function until(what, child, log, ready, minutes = 1) {
  for (let tries = 0; tries < minutes * 600; tries += 1) {
    if (child.exitCode !== null) break;
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} is not ready:\n${readFileSync(log, "utf8").slice(-3000)}`);
}

// --- Parts -----------------------------------------------------------------------------------------------------------

async function importCorpus(what, program, database, url, corpus, log) {
  say(`${database.name}: ${what}`);
  if (database.key === "postgres")
    execFileSync(program, ["migrate", "--database-url", url], { env: environment, stdio: "ignore" });
  const [before, begun] = [database.root ? cpuOf(database.root) : 0, performance.now()];
  const child = start(program, ["import", corpus, "--publisher", PUBLISHER, "--database-url", url], log);
  let [memory, own] = [0, 0];
  const watch = setInterval(() => {
    memory = Math.max(memory, peak(child.pid));
    own = Math.max(own, cpuOf(child.pid));
  }, 100);
  const [code] = await once(child, "close");
  clearInterval(watch);
  const taken = (performance.now() - begun) / 1000;
  if (code !== 0) throw new Error(`${what}: exit code ${code}\n${readFileSync(log, "utf8").slice(-3000)}`);
  say(`  ${taken.toFixed(1)} s, ${Math.round(actions / taken)} actions/s, ${memory.toFixed(0)} MiB`);
  return { what, seconds: taken, cpu: own + (database.root ? cpuOf(database.root) - before : 0), memory };
}

async function serve(database, folder) {
  const port = await freePort();
  const log = `${folder}/serve.log`;
  const key = execFileSync(binary, ["key", "create", "--publisher", PUBLISHER, "--scope", "read", "--scope", "segments", "--database-url", database.url], {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const child = start(binary, ["serve", "--listen", `127.0.0.1:${port}`, "--database-url", database.url], log, {
    ACTIONGRAPH_LOG: "warn",
    // What is measured is how fast it answers, not how much a caller may spend.
    ACTIONGRAPH_BUDGET_CAPACITY: "0",
    ACTIONGRAPH_METRICS: "local",
    ACTIONGRAPH_MAX_CONCURRENT_OPERATIONS_PER_ADDRESS: "0",
    ACTIONGRAPH_COLUMNS_MAX_MB: withColumns ? "2048" : "0",
    ACTIONGRAPH_COLUMNS_MIN_CHANGES: "0",
    ACTIONGRAPH_COLUMNS_WARM_UP: String(withColumns),
  });
  const base = `http://127.0.0.1:${port}`;
  await until("the server", child, log, async () => (await fetch(`${base}/readyz`)).ok);
  const server = { child, url: `${base}/graphql`, headers: { Authorization: `Bearer ${/ag_\S+/.exec(key)[0]}` } };
  return { ...server, columns: withColumns ? await columnsOf(database, base, child, log) : null };
}

/** Waits until the columns are in memory: how long that took, and what they take. */
async function columnsOf(database, base, child, log) {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) * 1024;
  const [begun, before, cpu, root] = [
    performance.now(),
    resident(),
    cpuOf(child.pid),
    database.root ? cpuOf(database.root) : 0,
  ];
  let text = "";
  const of = (name) => Number(new RegExp(`^actiongraph_columns_${name} (\\d+)`, "m").exec(text)?.[1] ?? 0);
  const areBuilt = async () => {
    text = await (await fetch(`${base}/metrics`)).text();
    return of("builds_total") > 0;
  };
  await until("the columns", child, log, areBuilt, 15);
  const columns = {
    seconds: (performance.now() - begun) / 1000,
    cpu: cpuOf(child.pid) - cpu + (database.root ? cpuOf(database.root) - root : 0),
    bytes: of("bytes"),
    rows: of("rows"),
    resident: resident() - before,
  };
  say(
    `  columns of ${columns.rows} actions: ${columns.seconds.toFixed(1)} s, ${(columns.bytes / 2 ** 20).toFixed(0)} MiB, ` +
      `resident ${(columns.resident / 2 ** 20).toFixed(0)} MiB more`,
  );
  return columns;
}

async function ask(server, body) {
  const answer = await fetch(server.url, {
    method: "POST",
    // SQL by hand takes so long that the server would have closed a connection that waits for the next question.
    headers: { "Content-Type": "application/json", Connection: "close", ...server.headers },
    body,
  });
  const said = await answer.json();
  if (said.errors) throw new Error(said.errors[0].message);
  return said.data;
}

/** Whether the schema can answer a question yet: otherwise why not. */
async function refusal(server, item) {
  try {
    await ask(server, JSON.stringify({ query: item.query, variables: variables(item, 1) }));
    return null;
  } catch (error) {
    return error.message;
  }
}

const inOrder = (rows) => rows.map((row) => row.map(String).join("\t")).sort();

/** Compares answers for some ranges: the first difference, or null. Where only the top is asked for, ties may fall either way. */
function difference(item, ours, all) {
  const [mine, theirs] = [inOrder(ours), inOrder(all)];
  if (!item.top) {
    if (mine.length !== theirs.length) return `${mine.length} rows against ${theirs.length}`;
    const place = mine.findIndex((row, at) => row !== theirs[at]);
    return place < 0 ? null : `${mine[place]} against ${theirs[place]}`;
  }
  const known = new Set(theirs);
  const strange = mine.find((row) => !known.has(row));
  if (strange) return `${strange} is not by hand`;
  const best = all
    .map((row) => Number(row[item.rank]))
    .sort((a, b) => b - a)
    .slice(0, item.top);
  const got = ours.map((row) => Number(row[item.rank]));
  return String(best) === String(got) ? null : `ranked ${got.slice(0, 12)} against ${best.slice(0, 12)}`;
}

async function compare(server, database, key, item, named) {
  for (const k of COMPARED) {
    const ours = item.answer(await ask(server, JSON.stringify({ query: item.query, variables: variables(item, k) })));
    if (ours.length === 0) throw new Error(`${key}: no rows for range ${k}`);
    for (const by of ["facts", "rollup"].filter((name) => item[name])) {
      const all = database.rows(item[by](null), { ...numbers(item, k), ...named });
      const found = difference(item, ours, all);
      if (found) throw new Error(`${key} on ${database.name}, range ${k}, against ${by}: ${found}`);
    }
  }
}

/** Measures at one client and at many; `once` first, so that both have the pages in memory. */
async function measure(cells, about, pace) {
  for (const clients of CLIENTS) {
    const found = await pace(clients);
    cells.push({ ...about, clients, pace: found });
    say(
      `  ${about.item} ${about.who}, ${clients} clients: ${(found.server + found.database).toFixed(2)} ms of CPU (${found.server.toFixed(2)} + ` +
        `${found.database.toFixed(2)}), median ${found.p50.toFixed(2)}, p99 ${found.p99.toFixed(2)}, ${found.requests} requests${found.failed ? `, ${found.failed} refused` : ""}`,
    );
  }
}

/** The pace of a server that answers GraphQL. */
async function overHttp(server, database, item, body, clients) {
  const bodies = Array.from({ length: item.ranges.count }, (_, k) => body(k));
  for (const one of bodies.slice(0, 3)) await ask(server, one);
  const before = [cpuOf(server.child.pid), database.root ? cpuOf(database.root) : 0];
  const { taken, failed, bytes } = await load({ url: server.url, headers: server.headers, bodies, clients, seconds });
  const used = [cpuOf(server.child.pid), database.root ? cpuOf(database.root) : 0].map(
    (cpu, place) => ((cpu - before[place]) * 1000) / (taken.length + failed),
  );
  return { ...spread(taken), server: used[0], database: used[1], failed, bytes };
}

/** Does what a question asks about: segments, say. Those of a database that was kept are there already. */
async function prepare(server, item) {
  for (const mutation of item.before ?? []) {
    const [{ userErrors }] = Object.values(await ask(server, JSON.stringify({ query: mutation })));
    const wrong = userErrors.filter(({ code }) => code !== "CONFLICT");
    if (wrong.length > 0) throw new Error(wrong.map(({ message }) => message).join("; "));
  }
}

/** Asks our server, after its answers were found right. */
async function ours({ results, database, named, server }, key, about) {
  const item = ITEMS[key];
  await prepare(server, item);
  const why = await refusal(server, item);
  if (why) {
    say(`  ${key}: ${why}`);
    results.cells.push({ ...about, who: "Actiongraph", clients: 1, none: `not answered: ${why}` });
    return;
  }
  const body = (k) => JSON.stringify({ query: item.query, variables: variables(item, k) });
  const rows = item.answer(await ask(server, body(1))).length;
  if (byHand) {
    await compare(server, database, key, item, named);
    const against = item.rollup ? "facts and rollup" : "facts";
    results.checks.push(`${key} on ${database.name} equals ${against} for ${COMPARED.length} ranges`);
  }
  const pace = (clients) => overHttp(server, database, item, body, clients);
  await measure(results.cells, { ...about, who: "Actiongraph", rows }, pace);
}

/** Asks the database by hand. What reads facts is slow: it gets more time. */
async function hand({ results, database, named }, key, about) {
  const item = ITEMS[key];
  const pace = (sql, time, settings) => (clients) => database.pace(item, sql(item.top), named, clients, time, settings);
  await measure(results.cells, { ...about, who: "SQL over facts" }, pace(item.facts, Math.max(seconds, 8)));
  if (item.covered && database.key === "postgres") {
    // As it was before the product's index of the order's instant covered this question.
    const plain = pace(item.facts, Math.max(seconds, 8), "-c enable_indexonlyscan=off");
    await measure(results.cells, { ...about, who: WITHOUT_INDEX }, plain);
  }
  if (!item.rollup) return;
  await measure(results.cells, { ...about, who: "SQL over daily rollup" }, pace(item.rollup, seconds));
}

/** Asks the peer, after its answer was found right. */
async function theirs({ results, database, named, peer }, key, about) {
  const item = ITEMS[key];
  const body = peer.body(key);
  if (!body) {
    results.cells.push({ ...about, who: Peer.title, clients: 1, none: peer.why(key) });
    return;
  }
  const wanted = database.rows(item.facts(null), { ...numbers(item, 1), ...named });
  peer.compare(await ask(peer, body(1)), key, wanted);
  const pace = (clients) => overHttp(peer, database, item, body, clients);
  await measure(results.cells, { ...about, who: Peer.title }, pace);
}

async function questions(results, database, folder) {
  const named = { pub: database.rows(`SELECT id FROM publishers WHERE slug = '${PUBLISHER}'`)[0][0] };
  if (byHand) {
    say(`${database.name}: hand-made rollups`);
    const items = asked.map((key) => ITEMS[key]);
    database.rollUp(named, items);
  }
  database.calm();
  const server = await serve(database, folder);
  results.columns.push({ name: database.name, ...server.columns });
  const withPeer = database.key === "postgres" && !options["no-peer"];
  const about = { database, items: ITEMS, folder, publisher: named.pub, start, until, freePort, say };
  const peer = withPeer ? await Peer.start(about) : null;
  const all = { results, database, named, server, peer };
  for (const key of asked) {
    const cell = { database: database.key, item: key };
    await ours(all, key, cell);
    if (byHand) await hand(all, key, cell);
    if (peer) await theirs(all, key, cell);
  }
  if (peer) await stop(peer.child);
  await stop(server.child);
}

async function onDatabase(results, database, corpus, folder, last) {
  const imports = [];
  const log = `${folder}/import.log`;
  const baseline = process.env.ACTIONGRAPH_BASELINE_BIN;
  if (baseline) {
    const url = database.make("baseline");
    imports.push(await importCorpus("import without totals", baseline, database, url, corpus, log));
    database.drop("baseline");
  }
  if (!database.isKept()) imports.push(await importCorpus("import", binary, database, database.url, corpus, log));
  // At 20,000,000 actions the room is wanted.
  if (last && !options.keep) rmSync(corpus);
  database.settle();
  const sizes = database.sizes();
  await questions(results, database, folder);
  if (byHand) sizes.push(...database.sizes().filter(({ schema }) => schema === "rolled"));
  results.databases.push({ name: database.name, key: database.key, version: database.version, imports, sizes });
}

async function main() {
  if (!existsSync(binary)) throw new Error(`there is no ${binary}; run: make build`);
  if (!Number.isInteger(actions) || actions < 1000)
    throw new Error("usage: bench/reports/run [ACTIONS] (at least 1000)");
  const results = {
    actions,
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync("git", ["-C", here("."), "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    machine: `${cpus().length} cores of ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    who: ["Actiongraph", "SQL over facts", WITHOUT_INDEX, "SQL over daily rollup", Peer.title],
    items: ITEMS,
    databases: [],
    columns: [],
    cells: [],
    checks: [],
    others: 0,
  };
  try {
    const corpus = `${folder}/export.json.gz`;
    if (!existsSync(corpus)) {
      say(`corpus of ${actions} actions`);
      await writeCorpus(corpus, actions);
    }
    const wanted = options.databases.split(",");
    const [begun, busyBefore, ownBefore] = [performance.now(), busy(), cpuOf(process.ppid)];
    const [superuser, programs] = [process.env.TEST_POSTGRES_URL, process.env.POSTGRES_BIN];
    const kinds = { postgres: () => new Postgres(superuser, folder, programs), sqlite: () => new Sqlite(folder) };
    for (const [place, kind] of wanted.entries()) {
      const database = kinds[kind]();
      await onDatabase(results, database, corpus, folder, place === wanted.length - 1);
      if (!options.keep) database.drop("bench");
    }
    results.others =
      Math.max(0, busy() - busyBefore - (cpuOf(process.ppid) - ownBefore)) / ((performance.now() - begun) / 1000);
    mkdirSync(here("../out"), { recursive: true });
    const text = markdown(results);
    writeFileSync(here(`../out/reports-${actions}.md`), text);
    writeFileSync(here(`../out/reports-${actions}.json`), JSON.stringify(results, null, 1));
    console.log(text);
  } finally {
    await Promise.all([...started].map(stop));
  }
}

if (options.keep) mkdirSync(options.keep, { recursive: true });
const folder = options.keep ?? mkdtempSync(`${process.env.TMPDIR ?? tmpdir()}/actiongraph-reports.`);
// However it ends, nothing is left behind.
process.on("SIGTERM", () => process.exit(143));
process.on("SIGINT", () => process.exit(130));
process.on("exit", () => {
  for (const child of started) child.kill("SIGKILL");
  if (!options.keep) rmSync(folder, { recursive: true, force: true });
});
await main();
