// The two databases behind one face: statements by hand, their pace, sizes, and hand-made rollups beside the product's
// tables (schema `rolled` on PostgreSQL, an attached file of that name on SQLite: the product's own file stays as it is).

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { numbers, ROLLUPS, script } from "./items.mjs";
import { cpuOf, spread } from "./measure.mjs";

const SEPARATOR = "\u001f";

/** Runs a program to its end and answers what it said. */
function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 30, ...options });
  if (done.error) throw done.error;
  if (done.status !== 0)
    throw new Error(`${command}: exit code ${done.status}\n${done.stderr}${done.stdout.slice(-2000)}`);
  return done.stdout;
}

/** Likewise without standing still meanwhile. */
function runAside(command, args, { input = "", ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    let [said, complained] = ["", ""];
    child.stdout.on("data", (text) => (said += text));
    child.stderr.on("data", (text) => (complained += text));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(said) : reject(new Error(`${command}: exit code ${code}\n${complained}`)),
    );
    child.stdin.end(input);
  });
}

/** The rollups that these questions read. */
function needed(items) {
  const asked = items.flatMap((item) => [item.facts, item.rollup].filter(Boolean).map((sql) => sql(null)));
  return ROLLUPS.filter(({ table }) => asked.some((sql) => sql.includes(`rolled.${table} `)));
}

/** A cluster of our own (`scripts/with-postgres` made it), and one database in it. */
export class Postgres {
  constructor(superuserUrl, folder, programs) {
    this.name = "PostgreSQL";
    this.key = "postgres";
    this.folder = folder;
    this.programs = programs;
    this.superuser = superuserUrl;
    this.kept = this.psql(["-c", "SELECT 1 FROM pg_database WHERE datname = 'bench'"], superuserUrl) !== "";
    this.url = this.kept ? this.urlOf("bench") : this.make("bench");
    this.root = Number(this.rows("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")[0][0]);
    this.version = this.rows("SHOW server_version")[0][0].split(" ")[0];
  }

  /** Whether an earlier run left its database here: in a cluster that outlives a run (`bench/README.md`). */
  isKept() {
    return this.kept;
  }

  urlOf(name) {
    const url = new URL(this.superuser);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** Makes an empty database and answers its URL. */
  make(name) {
    this.psql(["-c", `CREATE DATABASE ${name}`], this.superuser);
    return this.urlOf(name);
  }

  drop(name) {
    this.psql(["-c", `DROP DATABASE ${name} WITH (FORCE)`], this.superuser);
  }

  psql(args, url = this.url, input) {
    return run(`${this.programs}/psql`, ["-AtqX", "-v", "ON_ERROR_STOP=1", "-F", SEPARATOR, "-d", url, ...args], {
      input,
    });
  }

  /** The rows of a statement; `:name` is replaced from `named`. */
  rows(sql, named = {}) {
    const values = Object.entries(named).flatMap(([name, value]) => ["-v", `${name}=${value}`]);
    const text = this.psql(values, this.url, `${sql};\n`);
    return text === ""
      ? []
      : text
          .replace(/\n$/, "")
          .split("\n")
          .map((line) => line.split(SEPARATOR));
  }

  /** After an import: statistics, and pages that an index alone can answer from; nothing in the background after that. */
  settle() {
    this.psql(["-c", "VACUUM ANALYZE", "-c", "CHECKPOINT"]);
  }

  calm() {
    this.psql(["-c", "ALTER SYSTEM SET autovacuum = off", "-c", "SELECT pg_reload_conf()"]);
  }

  rollUp(named, items) {
    this.psql(["-c", "DROP SCHEMA IF EXISTS rolled CASCADE", "-c", "CREATE SCHEMA rolled"]);
    for (const { table, as, indexes } of needed(items)) {
      this.rows(`SET work_mem = '256MB'; CREATE TABLE rolled.${table} AS ${as}`, named);
      for (const [place, [keys, others]] of indexes.entries()) {
        this.rows(
          `CREATE INDEX ${table}_${place} ON rolled.${table} (${keys.join(", ")}) INCLUDE (${others.join(", ")})`,
        );
      }
      this.rows(`VACUUM ANALYZE rolled.${table}`);
    }
  }

  /** Bytes and rows of every table, indexes included. */
  sizes() {
    return this.rows(
      "SELECT n.nspname, c.relname, pg_total_relation_size(c.oid), c.reltuples::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace " +
        "WHERE c.relkind = 'r' AND n.nspname IN ('public', 'rolled') ORDER BY 2",
    ).map(([schema, table, bytes, rows]) => ({ schema, table, bytes: Number(bytes), rows: Number(rows) }));
  }

  /** Milliseconds and CPU of a statement of a question, by pgbench with prepared statements. */
  async pace(item, sql, named, clients, seconds, settings = "") {
    const folder = mkdtempSync(`${this.folder}/pgbench-`);
    writeFileSync(`${folder}/item.sql`, `${script(item)}${sql};\n`);
    const values = Object.entries(named).flatMap(([name, value]) => ["-D", `${name}=${value}`]);
    const before = cpuOf(this.root);
    const how = `-n -M prepared -c ${clients} -j 1 -T ${seconds} -l`.split(" ");
    const files = ["--log-prefix", `${folder}/log`, "-f", `${folder}/item.sql`];
    const env = { ...process.env, PGOPTIONS: settings };
    await runAside(`${this.programs}/pgbench`, [...how, ...files, ...values, this.url], { env });
    const cpu = cpuOf(this.root) - before;
    const taken = readdirSync(folder)
      .filter((name) => name.startsWith("log."))
      .flatMap((name) =>
        readFileSync(`${folder}/${name}`, "utf8")
          .trim()
          .split("\n")
          .map((line) => Number(line.split(" ")[2]) / 1000),
      );
    rmSync(folder, { recursive: true });
    return { ...spread(taken), database: (cpu * 1000) / taken.length, server: 0 };
  }
}

/** One SQLite file. */
export class Sqlite {
  constructor(folder) {
    this.name = "SQLite";
    this.key = "sqlite";
    this.folder = folder;
    this.files = { main: `${folder}/bench.db` };
    this.url = `sqlite://${this.files.main}`;
    this.root = 0;
    this.version = this.ask({ main: ":memory:", run: ["SELECT sqlite_version()"] })[0][0];
  }

  /** Whether an earlier run left the imported file behind (`--keep`). */
  isKept() {
    return existsSync(this.files.main);
  }

  make(name) {
    return `sqlite://${this.folder}/${name}.db`;
  }

  drop(name) {
    for (const end of ["", "-wal", "-shm"]) rmSync(`${this.folder}/${name}.db${end}`, { force: true });
  }

  ask(request) {
    return JSON.parse(
      run("python3", [fileURLToPath(new URL("sqlite.py", import.meta.url))], { input: JSON.stringify(request) }),
    );
  }

  rows(sql, named = {}) {
    return this.ask({ ...this.files, read_only: true, run: [sql], named });
  }

  settle() {}

  calm() {}

  rollUp(named, items) {
    this.files.rolled = `${this.folder}/rolled.db`;
    rmSync(this.files.rolled, { force: true });
    const run = needed(items).flatMap(({ table, as, indexes }) => [
      `CREATE TABLE rolled.${table} AS ${as}`,
      ...indexes.map(
        ([keys, others], place) =>
          `CREATE INDEX rolled.${table}_${place} ON ${table} (${[...keys, ...others].join(", ")})`,
      ),
    ]);
    this.ask({ ...this.files, run: [...run, "ANALYZE rolled"], named });
  }

  sizes() {
    const size = "SELECT s.name, SUM(s.pgsize) FROM dbstat s GROUP BY 1";
    const names = this.rows("SELECT name, tbl_name, type FROM sqlite_schema WHERE type IN ('table', 'index')");
    const owner = new Map(names.map(([name, table]) => [name, table]));
    const tables = new Map(
      names
        .filter(([, , type]) => type === "table")
        .map(([name]) => [name, { schema: "public", table: name, bytes: 0, rows: 0 }]),
    );
    for (const [name, bytes] of this.rows(size)) {
      const table = tables.get(owner.get(name) ?? name);
      if (table) table.bytes += Number(bytes);
    }
    for (const table of tables.values()) {
      table.rows = Number(this.rows(`SELECT COUNT(*) FROM ${table.table}`)[0][0]);
    }
    const rolled = this.files.rolled
      ? [{ schema: "rolled", table: "all", bytes: statSync(this.files.rolled).size, rows: 0 }]
      : [];
    return [...tables.values(), ...rolled];
  }

  async pace(item, sql, named, clients, seconds) {
    const sets = Array.from({ length: item.ranges.count }, (_, k) => numbers(item, k));
    const said = await runAside("python3", [fileURLToPath(new URL("sqlite.py", import.meta.url))], {
      input: JSON.stringify({ ...this.files, sql, sets, named, clients, seconds }),
    });
    const { taken, cpu } = JSON.parse(said);
    return { ...spread(taken), database: (cpu * 1000) / taken.length, server: 0 };
  }
}
