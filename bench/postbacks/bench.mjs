// How many postbacks a second a server takes: new actions, and the same actions approved, over connections that stay
// open, each with one request under way. What was acknowledged is counted in the database behind it.
//
//   node bench/postbacks/bench.mjs [--seconds 10] [--connections 1,16,256,1024] [--databases postgres,sqlite] [--rate 2000,5000]
//
// With each number of connections every one of them sends its next postback when the last one is answered, so that the rate is
// what the server can do and the times are those of waiting in line. At a rate, postbacks are due at their times whatever the
// server does, and how long each took is counted from when it was due.
//
// The loader runs on the same machine and takes its share of it: what each of loader, server and database used of the
// processors is printed beside the rate.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus, loadavg, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { busy, cpuOf } from "../reports/measure.mjs";

const binary = process.env.ACTIONGRAPH_BIN ?? fileURLToPath(new URL("../../target/demo/actiongraph", import.meta.url));
const option = (name, otherwise) => {
  const place = process.argv.indexOf(`--${name}`);
  return place < 0 ? otherwise : process.argv[place + 1];
};
const seconds = Number(option("seconds", 10));
const numbers = (name, otherwise) => option(name, otherwise).split(",").filter(Boolean).map(Number);
const connections = numbers("connections", "1,16,256,1024");
const rates = numbers("rate", "2000,5000");
/** How many connections wait for postbacks that are due at a rate. */
const READY = 512;
const databases = option("databases", "sqlite,postgres").split(",");

/** Runs a command of the binary; gives what it printed. */
async function command(...args) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => (said.out += text));
  child.stderr.on("data", (text) => (said.err += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code}\n${said.err}`);
  return said.out.trim();
}

/** A server on a free port; gives its address and what ends it. */
async function serve(url) {
  const child = spawn(binary, ["serve", "--listen", "127.0.0.1:0", "--database-url", url, "--migrate"], {
    stdio: ["ignore", "ignore", "pipe"],
    // All senders are one address.
    env: { ...process.env, ACTIONGRAPH_LOG_FORMAT: "json", ACTIONGRAPH_MAX_CONNECTIONS_PER_ADDRESS: "0" },
  });
  const address = await new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
      const found = /listening on http:\/\/([^"\s]+)/.exec(said);
      if (found) resolve(found[1]);
      said = said.slice(-2_000);
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const stop = async () => {
    child.removeAllListeners("exit");
    child.kill("SIGTERM");
    await once(child, "close");
  };
  return { address, stop, pid: child.pid };
}

/** The first process of the cluster that a URL leads to; 0 where there is none. */
function clusterOf(url) {
  if (!url.startsWith("postgres")) return 0;
  const sql = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)";
  const done = spawnSync(`${process.env.POSTGRES_BIN}/psql`, ["-AtqX", "-d", url, "-c", sql], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`psql: ${done.stderr}`);
  return Number(done.stdout);
}

/** Seconds of the processors that each had so far; `all` is everything on this machine. */
function used({ server, cluster }) {
  const own = process.cpuUsage();
  const loader = (own.user + own.system) / 1e6;
  return { loader, server: cpuOf(server), database: cluster ? cpuOf(cluster) : 0, all: busy() };
}

/** A connection that asks for one path after the other; `take` gives the next path with the time that it was due at. */
function sender(address, take, state) {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    let got = "";
    let due = 0;
    const ask = async () => {
      const next = await take();
      if (!next) return socket.end();
      due = next.due;
      socket.write(`GET ${next.path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
    };
    socket.on("connect", ask);
    socket.on("data", (part) => {
      got += part.toString("latin1");
      const head = got.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(got)?.[1] ?? 0);
      if (got.length < head + 4 + length) return;
      const good = got.startsWith("HTTP/1.1 200") && got.includes('"STORED"');
      state[good ? "good" : "bad"] += 1;
      if (!good && state.bad < 3) console.error(got.slice(0, 400));
      state.times.push(performance.now() - due);
      got = "";
      ask();
    });
    socket.on("error", reject);
    socket.on("close", resolve);
  });
}

/** Postbacks that are due as soon as somebody can send one. */
function inTurn(path, until) {
  let next = 0;
  return () => {
    const due = performance.now();
    return due >= until ? undefined : { due, path: path(next++) };
  };
}

/** Postbacks that are due at a rate. Whoever could send one waits for it, and where nobody can it waits. */
function atRate(path, until, rate) {
  const begun = performance.now();
  const [ready, late] = [[], []];
  let next = 0;
  const tick = setInterval(() => {
    const now = Math.min(performance.now(), until);
    for (; begun + (next / rate) * 1000 < now; next++) late.push({ due: begun + (next / rate) * 1000, path: path(next) });
    while (late.length > 0 && ready.length > 0) ready.pop()(late.shift());
    if (now < until || late.length > 0) return;
    clearInterval(tick);
    for (const idle of ready.splice(0)) idle(undefined);
  }, 1);
  return () => {
    if (late.length > 0) return late.shift();
    return performance.now() >= until ? undefined : new Promise((resolve) => ready.push(resolve));
  };
}

/** Sends postbacks for some seconds over so many connections, at a rate if there is one, and prints what came of it. */
async function load(what, [address, many, rate], processes, path) {
  const state = { good: 0, bad: 0, times: [] };
  const before = used(processes);
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const take = rate ? atRate(path, until, rate) : inTurn(path, until);
  await Promise.all(Array.from({ length: many }, () => sender(address, take, state)));
  const took = (performance.now() - begun) / 1000;
  const after = used(processes);
  state.times.sort((one, other) => one - other);
  const at = (share) => state.times[Math.floor(state.times.length * share)]?.toFixed(1).padStart(7);
  const reached = Math.round(state.good / took).toLocaleString("en").padStart(7);
  console.log(`${what.padEnd(36)} ${reached} a second, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, refused ${state.bad}`);
  const each = (who) => `${who} ${(((after[who] - before[who]) / state.good) * 1e6).toFixed(0)}`;
  const others = after.all - before.all - ["loader", "server", "database"].reduce((sum, who) => sum + after[who] - before[who], 0);
  console.log(`${"".padEnd(36)} µs of processor for each: ${["loader", "server", "database"].map(each).join(", ")}; ` +
    `others took ${Math.max(0, (others / took) * 100).toFixed(0)} % of one`);
  return state;
}

async function count(address, key, filter = "") {
  const answer = await fetch(`http://${address}/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ query: `{ actions${filter} { totalCount } }` }),
  });
  return (await answer.json()).data.actions.totalCount;
}

const folder = mkdtempSync(`${tmpdir()}/actiongraph-bench-`);
console.log(`${cpus().length} processors, load ${loadavg()[0].toFixed(1)}, ${seconds} s each`);
let [lost, refused] = [0, 0];
for (const name of databases) {
  const url = name === "sqlite" ? `sqlite://${folder}/postbacks.db` : process.env.TEST_POSTGRES_URL;
  const server = await serve(url);
  const processes = { server: server.pid, cluster: clusterOf(url) };
  const page = `${folder}/none.json`;
  writeFileSync(page, '{"results":[]}');
  await command("import", page, "--publisher", "bench", "--database-url", url);
  const key = await command("key", "create", "--publisher", "bench", "--database-url", url);
  const printed = await command("postback", "create", "--publisher", "bench", "--database-url", url);
  const secret = printed.slice(printed.lastIndexOf("/") + 1);
  const at = Math.floor(Date.now() / 1000) - 86_400;
  const path = (status) => (number) =>
    `/postback/${secret}?offer_id=6115&offer_name=AliExpress+WW&admitad_id=${900_000_000 + number}&website_id=7` +
    `&website_name=My+blog&subid=tg&subid1=u-${number % 20_000}&payment_sum=1.89&payment_status=${status}&currency=USD` +
    `&order_id=${3_019_000_000_000 + number}&order_sum=31.50&type=sale&time=${at + (number % 80_000)}` +
    `&click_time=${at - 600}&conversion_time=600&country_code=PL&reward_ready=false` +
    `&user_agent=Mozilla%2F5.0+%28Linux%3B+Android+14%29+Mobile+Safari`;
  let [acknowledged, approved] = [0, 0];
  const loads = [...connections.map((many) => [many]), ...rates.map((rate) => [READY, rate])];
  for (const [many, rate] of loads) {
    const begin = acknowledged;
    const who = rate ? `${rate} due a second` : `${many} senders`;
    const first = await load(`${name}, ${who}, new`, [server.address, many, rate], processes, (number) =>
      path("new")(begin + number),
    );
    // What is under way when the time is over is answered as well: the numbers up to there are all new actions.
    const second = await load(`${name}, ${who}, approvals`, [server.address, many, rate], processes, (number) =>
      path("approved")(begin + (number % first.good)),
    );
    acknowledged += first.good;
    approved += Math.min(first.good, second.good);
    refused += first.bad + second.bad;
  }
  const stored = await count(server.address, key);
  const known = await count(server.address, key, "(filter: {status: {eq: APPROVED}})");
  // Answers that were under way when the time was over are waited for, so the numbers are whole.
  lost += Math.max(acknowledged - stored, 0) + Math.max(approved - known, 0);
  const said = (number) => number.toLocaleString("en");
  console.log(`${"".padEnd(36)} acknowledged ${said(acknowledged)} new actions, stored ${said(stored)}; ` +
    `approvals of ${said(approved)}, stored ${said(known)}`);
  await server.stop();
}
rmSync(folder, { recursive: true });
if (lost > 0 || refused > 0) {
  console.error(`${lost} acknowledged postbacks are not stored, ${refused} were refused`);
  process.exit(1);
}
