// What operations cost in points beside the processor time of the server, operation by operation, and how well the two
// agree: Spearman's rank correlation, 1 where the dearer operation is always the slower one.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { corpus } from "./corpus.mjs";

const url = `${process.env.ACTIONGRAPH_URL}/graphql`;
const pid = process.env.ACTIONGRAPH_PID;
const seconds = Number(process.argv[2] ?? 0.4);
const most = 2000;
// The kernel counts in hundredths of a second.
const ticks = () => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

async function ask(query, headers = {}) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
  });
  const body = await answer.json();
  const { errors } = body;
  if (errors?.every(({ extensions }) => extensions.code === "TIMEOUT")) return { ...body.extensions?.cost, isCut: true };
  if (errors) throw new Error(`${query}\n${JSON.stringify(errors)}`);
  return body.extensions.cost;
}

/** Waits for the columns in memory, so that nobody's question pays for reading them in; whether there are any. */
async function columns() {
  await ask(`{ userSegments(range: {last: {count: 1, unit: DAY}}) { nodes { size } } }`);
  for (let waited = 0; waited < 240; waited += 1) {
    const text = await (await fetch(`${process.env.ACTIONGRAPH_URL}/metrics`)).text();
    if (/^actiongraph_columns_rows [1-9]/m.test(text)) return true;
    // They are off, or nothing was asked of them.
    if (!/^actiongraph_columns_fallbacks_total [1-9]/m.test(text)) return false;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return false;
}

function ranks(values) {
  const order = values.map((value, at) => [value, at]).sort((a, b) => a[0] - b[0]);
  const ranks = new Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && order[to][0] === order[from][0]) to += 1;
    // Equal values share the middle of their ranks.
    for (let at = from; at < to; at += 1) ranks[order[at][1]] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}

function correlation(left, right) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [a, b] = [mean(left), mean(right)];
  let [both, one, two] = [0, 0, 0];
  left.forEach((value, at) => {
    both += (value - a) * (right[at] - b);
    one += (value - a) ** 2;
    two += (right[at] - b) ** 2;
  });
  return both / Math.sqrt(one * two);
}
const spearman = (left, right) => correlation(ranks(left), ranks(right));

const held = await columns();
const rows = [];
const cut = [];
for (const [name, query] of corpus()) {
  const estimate = await ask(query, { "x-actiongraph-estimate": "true" });
  let cost = await ask(query);
  const before = ticks();
  const begun = performance.now();
  let count = 0;
  while (!cost.isCut && (count < 3 || (count < most && (ticks() - before) / 100 < seconds))) {
    cost = await ask(query);
    count += 1;
  }
  if (cost.isCut) {
    // It took all the time that it may: there is no figure to compare.
    cut.push(`${name} (${estimate.requestedQueryCost} points)`);
    continue;
  }
  const cpu = ((ticks() - before) * 10) / count;
  const wall = (performance.now() - begun) / count;
  if (estimate.requestedQueryCost !== cost.requestedQueryCost) throw new Error(`the estimate of ${name} is another`);
  rows.push({ name, requested: cost.requestedQueryCost, actual: cost.actualQueryCost, scanned: cost.scannedActions, cpu, wall, query });
}
rows.sort((a, b) => a.cpu - b.cpu);
const of = (key) => rows.map((row) => row[key]);
const lines = ["| operation | requested | actual | CPU ms | ms | µs a point |", "|---|---:|---:|---:|---:|---:|"];
for (const row of rows) {
  lines.push(`| ${row.name} | ${row.requested} | ${row.actual} | ${row.cpu.toFixed(2)} | ${row.wall.toFixed(2)} | ${((row.cpu * 1000) / row.requested).toFixed(1)} |`);
}
lines.push(
  "",
  `${rows.length} operations, columns in memory ${held ? "at hand" : "not at hand"}. Rank correlation of requested cost with processor time ${spearman(of("requested"), of("cpu")).toFixed(3)}, with time ${spearman(of("requested"), of("wall")).toFixed(3)}; of actual cost with processor time ${spearman(of("actual"), of("cpu")).toFixed(3)}.`,
);
if (cut.length > 0) lines.push("", `Ended by the time limit, and not among them: ${cut.join(", ")}.`);
console.log(lines.join("\n"));
mkdirSync("bench/out", { recursive: true });
writeFileSync("bench/out/cost.json", `${JSON.stringify(rows, null, 2)}\n`);
