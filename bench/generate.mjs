// Writes an Admitad actions export as `/statistics/actions/` sends it: pages of 500 actions with carts, to standard
// output or a file. The same arguments give the same bytes.
//
//   node bench/generate.mjs ACTIONS [ITEMS_PER_ACTION] > export.json

import { once } from "node:events";

const PAGE = 500;

/** A small generator of numbers (mulberry32): the same seed, the same sequence. */
function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const two = (number) => String(number).padStart(2, "0");

/** Upstream's local time. */
function stamp(seconds) {
  const time = new Date(seconds * 1000);
  const day = `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
}

const PROGRAMS = [
  [6115, "AliExpress WW", "USD"],
  [25179, "AliExpress RU&CIS NEW", "RUB"],
  [14289, "AliExpress TR", "USD"],
];
const CATEGORIES = ["44", "509", "7", "15", "18", "66", "34", "26", "1420", "200003803", "405", "100005529"];
const COUNTRIES = ["PL", "DE", "RU", "KZ", "TR", "US", "BR", "FR", "BY", "ES"];
const START = Date.UTC(2024, 0, 1) / 1000;
const SECONDS = 2 * 365 * 86400;

function action(number, items, random) {
  const [programId, program, currency] = PROGRAMS[Math.floor(random() * PROGRAMS.length)];
  const ordered = START + Math.floor(random() * SECONDS);
  const clicked = ordered - Math.floor(random() * 86400);
  const state = random();
  const status = state < 0.85 ? "approved" : state < 0.93 ? "declined" : "pending";
  const positions = [];
  let [cart, payment] = [0, 0];
  for (let place = 0; place < items; place += 1) {
    // A long tail: the square of an even number prefers small ones.
    const product = 1005000000000000 + Math.floor(random() ** 2 * 100000);
    const cents = 100 + Math.floor(random() ** 3 * 20000);
    const reward = Math.round(cents * 0.06);
    cart += cents;
    payment += reward;
    positions.push({
      id: number * 10 + place, tariff_id: 11, datetime: stamp(ordered), amount: (cents / 100).toFixed(2),
      payment: (reward / 100).toFixed(2), rate: "6.00", rate_id: 70001, percentage: true,
      product_url: `https://www.aliexpress.com/item/${product}.html`, product_id: String(product),
      product_image: `https://ae01.alicdn.com/kf/${product}.jpg`, product_name: `Product ${product} for the bench`,
      product_category_id: CATEGORIES[product % CATEGORIES.length], product_category_name: "",
    });
  }
  return {
    id: number, action_id: number, order_id: `30${number}`, tariff_id: 11, advcampaign_id: programId,
    advcampaign_name: program, website_name: `Ad space ${number % 7}`, click_user_ip: null,
    click_user_referer: null, click_country_code: COUNTRIES[Math.floor(random() * COUNTRIES.length)],
    conversion_time: ordered - clicked, action: "Paid order", action_type: "sale", cart: cart / 100, status,
    processed: status === "pending" ? 0 : 1, subid: "bench", subid1: `u-${Math.floor(random() ** 2 * 200000)}`,
    subid2: null, subid3: null, subid4: `click-${number}`, payment: payment / 100, currency, keyword: null,
    comment: null, positions, paid: status === "approved" ? 1 : 0, promocode: null, click_date: stamp(clicked),
    action_date: stamp(ordered), closing_date: stamp(ordered + 30 * 86400).slice(0, 10),
    status_updated: status === "pending" ? "" : stamp(ordered + 20 * 86400),
  };
}

/** Writes the export to a stream, waiting where it is slower than we are. */
export async function generate(out, actions, items, seed = 1) {
  const random = numbers(seed);
  for (let offset = 0; offset < actions; offset += PAGE) {
    const results = [];
    for (let place = offset; place < Math.min(offset + PAGE, actions); place += 1) {
      results.push(action(900000000 + place, items, random));
    }
    const page = { _meta: { count: actions, limit: PAGE, offset }, results };
    if (!out.write(`${JSON.stringify(page)}\n`)) await once(out, "drain");
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [actions, items] = [Number(process.argv[2]), Number(process.argv[3] ?? 2)];
  if (!Number.isInteger(actions) || actions < 1 || !Number.isInteger(items) || items < 0) {
    console.error("usage: node bench/generate.mjs ACTIONS [ITEMS_PER_ACTION] > export.json");
    process.exit(2);
  }
  await generate(process.stdout, actions, items);
}
