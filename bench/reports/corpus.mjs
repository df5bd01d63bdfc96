// The corpus of the report benchmark: an Admitad actions export as `/statistics/actions/` sends it, written as a
// gzipped stream of pages. The same number of actions gives the same records; memory does not grow with it.
//
//   node bench/reports/corpus.mjs ACTIONS FILE.gz
//
// Two years (2024 and 2025) with mild growth, in the order of time; four programs in two currencies; 100,000 products
// in 400 categories of level 2 and 200,000 users, a few of which make up much; one to six items an action, 1.8 on
// average, one unit each, all amounts in whole cents; recent actions are mostly pending.

import { once } from "node:events";
import { createWriteStream, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createGzip } from "node:zlib";

const PAGE = 500;
const PRODUCTS = 100_000;
const CATEGORIES = 400;
const USERS = 200_000;
/** 2024-01-01T00:00Z, and the seconds of two years, one of which has 366 days. */
const START = Date.UTC(2024, 0, 1) / 1000;
const SECONDS = 731 * 86_400;
/** Exports show the time of Moscow, which is what the import takes them for. */
const UPSTREAM_OFFSET = 3 * 3600;
/** Share of the actions, at the end of the time, that nobody has decided about yet. */
const RECENT = 0.03;

const PROGRAMS = [
  { id: 6115, name: "AliExpress WW", currency: "USD", share: 0.7 },
  { id: 910002, name: "Bench EU", currency: "EUR", share: 0.18 },
  { id: 910003, name: "Bench Americas", currency: "USD", share: 0.07 },
  { id: 910004, name: "Bench UK", currency: "EUR", share: 0.05 },
];
const COUNTRIES = ["PL", "BR", "ES", "FR", "KZ", "US", "DE", "IL", "IT", "MX"];

/** A number from 0 up to 1 that two whole numbers decide, for what must not depend on the order of writing. */
function chance(key, salt) {
  let mixed = (Math.imul(key, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca6b)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
}

/** A sequence of such numbers. */
function sequence(seed) {
  let place = 0;
  return () => chance(seed, (place = (place + 1) >>> 0));
}

/** Ids of level 2 in the shipped tree, filled up with numbers that it does not know. */
function categories() {
  const tree = new URL("../../data/categories.csv", import.meta.url);
  const rows = readFileSync(tree, "utf8")
    .split("\n")
    .filter((line) => /^\d+,/.test(line))
    .map((line) => line.split(",", 2));
  const tops = new Set(rows.filter(([, parent]) => parent === "").map(([id]) => id));
  const found = rows.filter(([, parent]) => tops.has(parent)).map(([id]) => id);
  for (let id = 990_000_001; found.length < CATEGORIES; id += 1) found.push(String(id));
  return found.slice(0, CATEGORIES);
}

const two = (number) => (number < 10 ? `0${number}` : String(number));
let dayOf = -1;
let dayText = "";

/** Upstream's local time. Days come one after the other: the last one's text is kept. */
function stamp(seconds) {
  const local = seconds + UPSTREAM_OFFSET;
  const day = Math.floor(local / 86_400);
  if (day !== dayOf) {
    dayOf = day;
    dayText = new Date(day * 86_400_000).toISOString().slice(0, 10);
  }
  const rest = local - day * 86_400;
  return `${dayText} ${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
}

const cents = (amount) => `${Math.floor(amount / 100)}.${two(amount % 100)}`;

/** What stays the same about a product: the text between an item's amounts and its end. */
function products() {
  const ids = categories();
  return Array.from({ length: PRODUCTS }, (_, number) => {
    const id = 1_005_000_000_000_000 + number * 7919;
    // Few categories hold most of the products; which ones sell is a matter of its own.
    const category = ids[Math.floor(CATEGORIES * chance(number, 1) ** 1.5)];
    return {
      price: Math.round(100 * 2 ** (chance(number, 2) * 10)),
      text:
        `"product_url":"https://www.aliexpress.com/item/${id}.html","product_id":"${id}",` +
        `"product_image":"https://ae01.alicdn.com/kf/S${id.toString(16)}.jpg","product_name":"Product ${number} of the bench",` +
        `"product_category_id":"${category}","product_category_name":""}`,
    };
  });
}

function programOf(draw) {
  let left = draw;
  for (const program of PROGRAMS) {
    if (left < program.share) return program;
    left -= program.share;
  }
  return PROGRAMS[0];
}

function statusOf(draw, recent) {
  if (recent) return draw < 0.75 ? "pending" : draw < 0.95 ? "approved" : "declined";
  return draw < 0.1 ? "pending" : draw < 0.85 ? "approved" : "declined";
}

const itemsOf = (draw) => [0.58, 0.8, 0.9, 0.95, 0.98].filter((bound) => draw >= bound).length + 1;

/** One record, as text. */
function action(number, all, catalogue) {
  const next = sequence(number);
  const program = programOf(next());
  const ordered = START + Math.floor(SECONDS * ((number + 0.5) / all) ** 0.85);
  const clicked = ordered - Math.floor(next() * 259_200);
  const status = statusOf(next(), number >= all * (1 - RECENT));
  const rate = 300 + Math.floor(next() * 500);
  const user = Math.floor(USERS * next() ** 1.7);
  const country = COUNTRIES[Math.floor(COUNTRIES.length * next() ** 1.4)];
  const count = itemsOf(next());
  let [cart, payment, positions] = [0, 0, ""];
  const at = stamp(ordered);
  for (let place = 0; place < count; place += 1) {
    const product = catalogue[Math.floor(PRODUCTS * next() ** 3.2)];
    const amount = Math.max(1, Math.round(product.price * (0.8 + 0.4 * next())));
    const reward = Math.round((amount * rate) / 10_000);
    cart += amount;
    payment += reward;
    positions +=
      `${place === 0 ? "" : ","}{"id":${number * 8 + place},"tariff_id":11,"datetime":"${at}",` +
      `"amount":"${cents(amount)}","payment":"${cents(reward)}","rate":"${cents(rate)}","rate_id":70001,"percentage":true,${product.text}`;
  }
  const updated = status === "pending" ? "" : stamp(ordered + 20 * 86_400);
  return (
    `{"id":${800_000_000 + number},"action_id":${800_000_000 + number},"order_id":"30${number}","tariff_id":11,` +
    `"advcampaign_id":${program.id},"advcampaign_name":"${program.name}","website_name":"Ad space ${number % 5}",` +
    `"click_user_ip":null,"click_user_referer":null,"click_country_code":"${country}","conversion_time":${ordered - clicked},` +
    `"action":"Paid order","action_type":"sale","cart":${cents(cart)},"status":"${status}","processed":${status === "pending" ? 0 : 1},` +
    `"subid":"bench","subid1":"u-${user}","subid2":null,"subid3":null,"subid4":null,"payment":${cents(payment)},` +
    `"currency":"${program.currency}","keyword":null,"comment":null,"paid":${status === "approved" ? 1 : 0},` +
    `"promocode":null,"click_date":"${stamp(clicked)}","action_date":"${at}",` +
    `"closing_date":"${stamp(ordered + 30 * 86_400).slice(0, 10)}","status_updated":"${updated}","positions":[${positions}]}`
  );
}

/** Writes the export to a stream, waiting where it is slower than we are. */
export async function write(out, actions) {
  const catalogue = products();
  for (let offset = 0; offset < actions; offset += PAGE) {
    const records = [];
    for (let number = offset; number < Math.min(offset + PAGE, actions); number += 1)
      records.push(action(number, actions, catalogue));
    const page = `{"_meta":{"count":${actions},"limit":${PAGE},"offset":${offset}},"results":[${records.join(",")}]}\n`;
    if (!out.write(page)) await once(out, "drain");
  }
}

/** Writes the gzipped export to a file. */
export async function writeFile(file, actions) {
  const zip = createGzip({ level: 1, chunkSize: 1 << 18 });
  const out = createWriteStream(file);
  zip.pipe(out);
  await write(zip, actions);
  zip.end();
  await once(out, "close");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [actions, file] = [Number(process.argv[2]), process.argv[3]];
  if (!Number.isInteger(actions) || actions < 1 || !file) {
    console.error("usage: node bench/reports/corpus.mjs ACTIONS FILE.gz");
    process.exit(2);
  }
  await writeFile(file, actions);
}
