// How fast files of each format are imported, beside bare inserts of the same rows into the same indexed tables in the
// same run. It runs within `scripts/with-postgres`; `bench/formats/run` calls it.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { write } from "./files.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const actions = Number(process.argv[2] ?? 200_000);
const binary = process.env.ACTIONGRAPH_BIN ?? here("../../target/demo/actiongraph");
const FORMATS = ["json", "jsonl", "csv", "xml", "xlsx", "xls"];
/** Facts alone, and all that an import writes: history, change log and totals too. */
const FACTS = ["products", "users", "actions", "action_items"];
const ALL = [
  ...FACTS, "action_states", "action_changes", "totals_time", "totals_channel", "totals_audience", "totals_category",
  "totals_product", "product_lifetimes", "user_lifetimes",
];

if (!Number.isInteger(actions) || actions < 1) {
  console.error("usage: bench/formats/run [ACTIONS]");
  process.exit(2);
}

/** Settings of the person's own server must not reach ours. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^ACTIONGRAPH_|^TEST_POSTGRES/.test(name)),
);

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: "utf8", env: environment, maxBuffer: 1 << 28, ...options });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${command}: exit code ${done.status}\n${done.stderr}${done.stdout}`);
  return done.stdout;
}

const psql = (url, sql) => run(`${process.env.POSTGRES_BIN}/psql`, ["-AtqX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);

/** Seconds of an import, the start of the process included. */
function importFile(path, url) {
  const begun = performance.now();
  run(binary, ["import", path, "--publisher", "bench", "--database-url", url]);
  return (performance.now() - begun) / 1000;
}

const databases = {
  SQLite: (folder) => {
    let number = 0;
    const fresh = () => {
      number += 1;
      const url = `sqlite://${folder}/${number}.db`;
      run(binary, ["migrate", "--database-url", url]);
      return url;
    };
    const fileOf = (url) => url.slice("sqlite://".length);
    return {
      fresh,
      bare(url, tables) {
        const empty = fresh();
        const said = run("python3", [here("bare.py"), fileOf(url), fileOf(empty), ...tables]);
        this.drop(empty);
        return Number(said.split(" ")[1]);
      },
      drop(url) {
        for (const end of ["", "-wal", "-shm"]) rmSync(fileOf(url) + end, { force: true });
      },
    };
  },
  PostgreSQL: () => {
    const superuser = process.env.TEST_POSTGRES_URL;
    let number = 0;
    return {
      fresh() {
        number += 1;
        psql(superuser, `CREATE DATABASE bench${number}`);
        const url = new URL(superuser);
        url.pathname = `/bench${number}`;
        run(binary, ["migrate", "--database-url", url.href]);
        return url.href;
      },
      bare(url, tables) {
        psql(url, "CREATE SCHEMA bare");
        let taken = 0;
        for (const table of tables) {
          psql(url, `CREATE TABLE bare.staged AS SELECT * FROM public.${table}`);
          psql(url, `CREATE TABLE bare.${table} (LIKE public.${table} INCLUDING ALL)`);
          const begun = performance.now();
          psql(url, `INSERT INTO bare.${table} SELECT * FROM bare.staged`);
          taken += performance.now() - begun;
          psql(url, "DROP TABLE bare.staged");
        }
        psql(url, "DROP SCHEMA bare CASCADE");
        return taken / 1000;
      },
      drop(url) {
        psql(superuser, `DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
      },
    };
  },
};

const folder = mkdtempSync(`${tmpdir()}/actiongraph-formats.`);
const lines = [
  `${actions.toLocaleString("en")} actions with one cart item each (workbooks hold fewer), ${cpus().length} × ${cpus()[0].model}`,
  "",
  "| database | format | actions | MiB | seconds | actions/s | of bare facts | of bare rows, history and totals too |",
  "|---|---|---:|---:|---:|---:|---:|---:|",
];
try {
  for (const format of FORMATS) {
    const path = `${folder}/export.${format}`;
    const count = await write(path, format, actions);
    for (const [name, make] of Object.entries(databases)) {
      const database = make(folder);
      databases[name] = () => database;
      const url = database.fresh();
      const seconds = importFile(path, url);
      const [facts, all] = [database.bare(url, FACTS), database.bare(url, ALL)];
      database.drop(url);
      const percent = (bare) => `${((bare / seconds) * 100).toFixed(0)} %`;
      const line = [
        name, format.toUpperCase(), count.toLocaleString("en"), (statSync(path).size / 2 ** 20).toFixed(1),
        seconds.toFixed(2), Math.round(count / seconds).toLocaleString("en"), percent(facts), percent(all),
      ];
      lines.push(`| ${line.join(" | ")} |`);
      console.error(lines.at(-1));
    }
    rmSync(path);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
mkdirSync(here("../out"), { recursive: true });
writeFileSync(here("../out/formats.md"), `${lines.join("\n")}\n`);
console.log(lines.join("\n"));
