// The same actions as files of every format: one cart item each, so that all formats carry the same.

import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { crc32, deflateRawSync } from "node:zlib";
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { generate } from "../generate.mjs";

/** Columns of a flat row: canonical name, and where the action has it. */
const OF_ACTION = [
  "action_id", "order_id", "advcampaign_id", "advcampaign_name", "website_name", "action", "action_type", "status",
  "paid", "payment", "cart", "currency", "click_date", "action_date", "status_updated", "closing_date",
  "conversion_time", "subid", "subid1", "subid4", "click_country_code",
];
const OF_ITEM = ["product_id", "product_name", "product_url", "product_category_id"];
const NUMBERS = new Set(["action_id", "advcampaign_id", "paid", "payment", "cart", "conversion_time"]);
export const COLUMNS = [...OF_ACTION, ...OF_ITEM];

const cells = (action) => [
  ...OF_ACTION.map((name) => action[name] ?? ""),
  ...OF_ITEM.map((name) => action.positions[0]?.[name] ?? ""),
];
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const quoted = (text) => (/[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);

/** Actions of the generated pages, one after the other. */
async function* actionsOf(count) {
  const pages = new PassThrough();
  const made = generate(pages, count, 1).then(() => pages.end());
  for await (const line of createInterface({ input: pages })) yield* JSON.parse(line).results;
  await made;
}

const FORMS = {
  json: { head: '{"results":[', foot: "]}", between: ",\n", row: (action) => JSON.stringify(action) },
  jsonl: { head: "", foot: "\n", between: "\n", row: (action) => JSON.stringify(action) },
  csv: { head: `${COLUMNS.join(",")}\n`, foot: "\n", between: "\n", row: (action) => cells(action).map(quoted).join(",") },
  xml: {
    head: '<?xml version="1.0" encoding="UTF-8"?>\n<stats>\n',
    foot: "\n</stats>\n",
    between: "\n",
    row: (action) =>
      `<stat>${cells(action)
        .map((text, at) => `<${COLUMNS[at]}>${escaped(text)}</${COLUMNS[at]}>`)
        .join("")}</stat>`,
  },
};

/** Writes a file of a format that can be streamed. */
async function writeText(path, form, count) {
  const out = createWriteStream(path);
  out.write(form.head);
  let first = true;
  for await (const action of actionsOf(count)) {
    const text = (first ? "" : form.between) + form.row(action);
    first = false;
    if (!out.write(text)) await once(out, "drain");
  }
  out.end(form.foot);
  await once(out, "close");
}

const numberOf = (value, length) => {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntLE(value, 0, length);
  return bytes;
};

/** A ZIP archive of these files. */
function zip(files) {
  const [bodies, directory] = [[], []];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = Buffer.from(content);
    const packed = deflateRawSync(data, { level: 3 });
    const common = Buffer.concat([
      numberOf(20, 2), numberOf(0, 2), numberOf(8, 2), numberOf(0, 2), numberOf(33, 2), numberOf(crc32(data), 4),
      numberOf(packed.length, 4), numberOf(data.length, 4), numberOf(name.length, 2), numberOf(0, 2),
    ]);
    const body = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    bodies.push(body);
    directory.push(
      Buffer.concat([
        Buffer.from("PK\x01\x02\x14\x00"), common, Buffer.alloc(10), numberOf(offset, 4), Buffer.from(name),
      ]),
    );
    offset += body.length;
  }
  const list = Buffer.concat(directory);
  const count = numberOf(bodies.length, 2);
  const end = [Buffer.from("PK\x05\x06"), Buffer.alloc(4), count, count, numberOf(list.length, 4), numberOf(offset, 4)];
  return Buffer.concat([...bodies, list, ...end, Buffer.alloc(2)]);
}

const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships";

async function xlsx(count) {
  const rows = [];
  const text = (value) => `<c t="inlineStr"><is><t>${escaped(value)}</t></is></c>`;
  rows.push(`<row>${COLUMNS.map(text).join("")}</row>`);
  for await (const action of actionsOf(count)) {
    const row = cells(action).map((value, at) => (NUMBERS.has(COLUMNS[at]) ? `<c><v>${value}</v></c>` : text(value)));
    rows.push(`<row>${row.join("")}</row>`);
  }
  return zip({
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    "_rels/.rels": `<Relationships xmlns="${RELATIONS}"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    "xl/workbook.xml": `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets><sheet name="Actions" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${RELATIONS}"><Relationship Id="rId1" Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
    "xl/worksheets/sheet1.xml": `<worksheet xmlns="${MAIN}"><sheetData>${rows.join("\n")}</sheetData></worksheet>`,
  });
}

/** An old workbook: the records of its cells in a compound file. */
async function xls(count) {
  const [SECTOR, END, FREE] = [512, 0xfffffffe, 0xffffffff];
  const record = (kind, body) => Buffer.concat([numberOf(kind, 2), numberOf(body.length, 2), body]);
  const head = (kind) => record(0x0809, Buffer.concat([0x0600, kind, 0x0dbb, 0x07cc, 0, 0, 6, 0].map((n) => numberOf(n, 2))));
  const [name, end] = [Buffer.from("Actions"), record(0x000a, Buffer.alloc(0))];
  const begin = head(5);
  const bound = record(
    0x0085,
    Buffer.concat([numberOf(begin.length + 4 + 8 + name.length + end.length, 4), Buffer.from([0, 0, name.length, 0]), name]),
  );
  const parts = [begin, bound, end, head(0x10)];
  let row = 0;
  const write = (values, numeric) => {
    for (const [column, value] of values.entries()) {
      if (value === "") continue;
      const at = Buffer.concat([numberOf(row, 2), numberOf(column, 2), numberOf(0, 2)]);
      if (numeric && NUMBERS.has(COLUMNS[column])) {
        const number = Buffer.alloc(8);
        number.writeDoubleLE(value);
        parts.push(record(0x0203, Buffer.concat([at, number])));
      } else {
        const text = String(value);
        parts.push(record(0x0204, Buffer.concat([at, numberOf(text.length, 2), Buffer.from([0]), Buffer.from(text, "latin1")])));
      }
    }
    row += 1;
  };
  write(COLUMNS, false);
  for await (const action of actionsOf(count)) write(cells(action), true);
  parts.push(end);
  const bytes = Buffer.concat(parts);
  const sectors = Math.max(8, Math.ceil(bytes.length / SECTOR));
  const tables = Math.ceil((sectors + 2) / 127);
  if (tables > 109) throw new Error(`an XLS of ${count} actions is larger than this writer can make`);
  const fat = Array.from({ length: sectors }, (_, at) => (at + 1 === sectors ? END : at + 1));
  fat.push(END, ...Array.from({ length: tables }, () => 0xfffffffd));
  while (fat.length < tables * 128) fat.push(FREE);
  const header = Buffer.alloc(512);
  Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]).copy(header);
  [0x3e, 3, 0xfffe, 9, 6].forEach((n, at) => header.writeUInt16LE(n, 24 + at * 2));
  [tables, sectors, 0, 4096, END, 0, END, 0].forEach((n, at) => header.writeUInt32LE(n, 44 + at * 4));
  for (let at = 0; at < 109; at += 1) header.writeUInt32LE(at < tables ? sectors + 1 + at : FREE, 76 + at * 4);
  const entry = (title, kind, child, start, size) => {
    const bytes = Buffer.alloc(128);
    bytes.write(title, "utf16le");
    bytes.writeUInt16LE(title === "" ? 0 : title.length * 2 + 2, 64);
    bytes.set([kind, 1], 66);
    [FREE, FREE, child].forEach((n, at) => bytes.writeUInt32LE(n, 68 + at * 4));
    bytes.writeUInt32LE(start, 116);
    bytes.writeUInt32LE(size, 120);
    return bytes;
  };
  const body = Buffer.alloc(sectors * SECTOR);
  bytes.copy(body);
  const entries = [entry("Root Entry", 5, 1, END, 0), entry("Workbook", 2, FREE, 0, body.length), entry("", 0, FREE, 0, 0), entry("", 0, FREE, 0, 0)];
  return Buffer.concat([header, body, ...entries, ...fat.map((n) => numberOf(n, 4))]);
}

/** What workbooks may hold: a million cells, and what this writer of XLS can make. */
export const MOST = { xlsx: 39_000, xls: 10_000 };

/** Writes the file of a format with so many actions, or as many as the format may hold; answers how many. */
export async function write(path, format, count) {
  const { writeFileSync } = await import("node:fs");
  const most = Math.min(count, MOST[format] ?? count);
  if (FORMS[format]) await writeText(path, FORMS[format], most);
  else writeFileSync(path, format === "xlsx" ? await xlsx(most) : await xls(most));
  return most;
}
