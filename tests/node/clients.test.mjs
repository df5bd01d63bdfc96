/**
 * Real clients against our schema and server: Relay's compiler, GraphQL code generation,
 * Apollo Client's normalised cache and the GraphQL-over-HTTP audit.
 *
 *   ACTIONGRAPH_URL=http://127.0.0.1:8080 [ACTIONGRAPH_KEY=ag_…] node --test tests/node/clients.test.mjs
 *
 * The compilers read schema.graphql at the root (ACTIONGRAPH_SCHEMA names another).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { executeCodegen } from "@graphql-codegen/cli";
import {
  buildSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
  Kind,
  parse,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from "graphql";
import { serverAudits } from "graphql-http";
import ts from "typescript";
import { readyMadeQueries } from "./ready-made.mjs";

const SCHEMA_FILE =
  process.env.ACTIONGRAPH_SCHEMA ?? fileURLToPath(new URL("../../schema.graphql", import.meta.url));
const QUERIES_FILE = fileURLToPath(new URL("../../web/src/queries.ts", import.meta.url));
const KEY = process.env.ACTIONGRAPH_KEY ?? "";

/** Every scalar of ours as JSON carries it. A scalar missing here fails the code generation. */
const SCALARS = {
  ActionFilterValue: "Record<string, unknown>",
  BigInt: "string",
  CountryCode: "string",
  CurrencyCode: "string",
  Date: "string",
  DateTime: "string",
  Decimal: "string",
  RangeValue: "Record<string, unknown>",
  SegmentRuleValue: "Record<string, unknown>",
  TimeZone: "string",
  URL: "string",
};

/** The lists that the root offers, each in pages. */
const ROOT_CONNECTIONS = [
  "actions",
  "products",
  "categories",
  "programs",
  "adSpaces",
  "users",
  "topSellingCategories",
  "topSellingProducts",
  "productSegments",
  "userSegments",
  "report",
  "imports",
];

let schema;
let scratch;

/** Only where it is needed: a missing schema must not hide what the audit finds. */
function readSchema() {
  schema ??= buildSchema(readFileSync(SCHEMA_FILE, "utf8"));
}

before(() => {
  scratch = mkdtempSync(join(tmpdir(), "actiongraph-clients-"));
});

after(() => scratch && rmSync(scratch, { recursive: true }));

function endpoint() {
  assert.ok(process.env.ACTIONGRAPH_URL, "ACTIONGRAPH_URL must name a running server");
  return new URL("/graphql", process.env.ACTIONGRAPH_URL).href;
}

/** `fetch` with the key added, where there is one. */
function fetchWithKey(input, init = {}) {
  const headers = new Headers(init.headers);
  if (KEY) headers.set("authorization", `Bearer ${KEY}`);
  return fetch(input, { ...init, headers });
}

/** A folder of its own under the scratch folder. */
function folder(name) {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

test("every ready-made query is valid against schema.graphql", () => {
  readSchema();
  for (const { name, query, variables } of readyMadeQueries()) {
    const document = parse(query);
    assert.deepEqual(
      validate(schema, document).map(({ message }) => message),
      [],
      name,
    );
    const known = document.definitions[0].variableDefinitions.map((variable) => variable.variable.name.value);
    assert.deepEqual(Object.keys(variables).sort(), known.sort(), `${name}: variables of the tab`);
  }
});

test("every ready-made query that sums up a list of actions says of which range", () => {
  readSchema();
  const summed = ["totals", "info", "totalCount"];
  let seen = 0;
  for (const { name, query } of readyMadeQueries()) {
    const types = new TypeInfo(schema);
    const enter = (node) => {
      const selected = node.selectionSet?.selections.map((selection) => selection.name?.value) ?? [];
      const isList = getNamedType(types.getType())?.name === "ActionConnection";
      if (!isList || !summed.some((field) => selected.includes(field))) return;
      seen += 1;
      const given = node.arguments.map((argument) => argument.name.value);
      assert.ok(given.includes("range"), `${name}: all time can be more than a server reads`);
    };
    visit(parse(query), visitWithTypeInfo(types, { Field: { enter } }));
  }
  assert.ok(seen > 0, "no query sums up a list of actions");
});

describe("Relay", () => {
  before(readSchema);

  /** The root fields that page forward, with the variables that they demand. */
  function rootConnections() {
    return Object.values(schema.getQueryType().getFields())
      .filter((field) => getNamedType(field.type).name.endsWith("Connection"))
      .map((field) => ({
        name: field.name,
        pages: ["first", "after"].every((argument) => field.args.some(({ name }) => name === argument)),
        backward: ["last", "before"].every((argument) => field.args.some(({ name }) => name === argument)),
        required: field.args.filter(isRequiredArgument),
        node: getNamedType(getNamedType(getNamedType(field.type).getFields().edges.type).getFields().node.type),
      }));
  }

  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  const source = (text) => `import { graphql } from "relay-runtime";\ngraphql\`\n${text}\n\`;\n`;

  /** A pagination fragment and its query, as Relay's documentation writes them. */
  function paginated({ name, required, node }, forward) {
    const module = `${capital(name)}${forward ? "Forward" : "Backward"}`;
    const definitions = required.map((argument) => `${argument.name}: {type: "${argument.type}"}`).join(" ");
    const own = required.map((argument) => `${argument.name}: $${argument.name}`).join(", ");
    const page = forward ? "first: $count, after: $cursor" : "last: $count, before: $cursor";
    const isNode = node.getInterfaces?.().some((type) => type.name === "Node");
    const variables = required.map((argument) => `$${argument.name}: ${argument.type}`).join(", ");
    return {
      module,
      text: source(`
        fragment ${module}_query on Query
          @refetchable(queryName: "${module}PaginationQuery")
          @argumentDefinitions(count: {type: "Int", defaultValue: 10} cursor: {type: "String"} ${definitions}) {
          ${name}(${[own, page].filter(Boolean).join(", ")}) @connection(key: "${module}_${name}") {
            edges { node { __typename ${isNode ? "id" : ""} } }
          }
        }
        query ${module}Query${variables && `(${variables})`} {
          ...${module}_query${own && ` @arguments(${own})`}
        }`),
    };
  }

  test("the compiler takes every root connection, both ways, and re-reads every Node", () => {
    const dir = folder("relay");
    const src = join(dir, "src");
    mkdirSync(src);
    const expected = [];
    const connections = rootConnections();
    for (const name of ROOT_CONNECTIONS) {
      assert.ok(connections.some((connection) => connection.name === name && connection.pages), `${name} has no pages`);
    }
    for (const connection of connections) {
      for (const forward of [true, false]) {
        if (forward ? !connection.pages : !connection.backward) continue;
        const { module, text } = paginated(connection, forward);
        writeFileSync(join(src, `${module}.ts`), text);
        expected.push(`${module}PaginationQuery`, `${module}Query`);
      }
    }
    const nodes = schema.getPossibleTypes(schema.getType("Node"));
    assert.ok(nodes.length >= 5, "too few types can be re-read by id");
    for (const type of nodes) {
      const leaves = Object.values(type.getFields())
        .filter((field) => !field.args.some(isRequiredArgument) && isScalarType(getNamedType(field.type)))
        .map(({ name }) => name);
      const module = `${type.name}Row`;
      writeFileSync(
        join(src, `${module}.ts`),
        source(`fragment ${module}_row on ${type.name} @refetchable(queryName: "${module}RefetchQuery") { ${leaves.join(" ")} }`),
      );
      expected.push(`${module}RefetchQuery`);
    }
    writeFileSync(join(dir, "schema.graphql"), readFileSync(SCHEMA_FILE));
    writeFileSync(
      join(dir, "relay.config.json"),
      JSON.stringify({
        src: "./src",
        schema: "./schema.graphql",
        language: "typescript",
        customScalarTypes: SCALARS,
        typescriptExcludeUndefinedFromNullableUnion: true,
      }),
    );
    const compiler = createRequire(import.meta.url)("relay-compiler");
    try {
      execFileSync(compiler, ["relay.config.json"], { cwd: dir, stdio: "pipe", env: { ...process.env, FORCE_COLOR: "0" } });
    } catch (error) {
      assert.fail(`relay-compiler refused: ${error.stdout}${error.stderr}`);
    }
    const made = readdirSync(join(src, "__generated__"));
    for (const name of expected) assert.ok(made.includes(`${name}.graphql.ts`), `no artifact for ${name}`);
    const refetch = readFileSync(join(src, "__generated__", `${nodes[0].name}RowRefetchQuery.graphql.ts`), "utf8");
    assert.match(refetch, /node\(id: \$id\)/);
  });

  test("the schema keeps Relay's contract for nodes, connections and edges", () => {
    const node = schema.getType("Node");
    assert.ok(isInterfaceType(node));
    assert.equal(String(node.getFields().id.type), "ID!");
    const { node: one, nodes: many } = schema.getQueryType().getFields();
    assert.equal(`${one.args.map(({ name, type }) => `${name}: ${type}`)} -> ${one.type}`, "id: ID! -> Node");
    assert.equal(`${many.args.map(({ name, type }) => `${name}: ${type}`)} -> ${many.type}`, "ids: [ID!]! -> [Node]!");
    const pageInfo = schema.getType("PageInfo").getFields();
    assert.equal(String(pageInfo.hasNextPage.type), "Boolean!");
    assert.equal(String(pageInfo.hasPreviousPage.type), "Boolean!");
    assert.equal(String(pageInfo.startCursor.type), "String");
    assert.equal(String(pageInfo.endCursor.type), "String");
    const connections = Object.values(schema.getTypeMap()).filter(
      (type) => isObjectType(type) && type.name.endsWith("Connection"),
    );
    assert.ok(connections.length >= 5);
    for (const type of connections) {
      const fields = type.getFields();
      assert.equal(String(fields.pageInfo?.type), "PageInfo!", type.name);
      const edge = getNamedType(fields.edges.type);
      assert.ok(isObjectType(edge) && edge.name.endsWith("Edge"), type.name);
      assert.equal(String(edge.getFields().cursor.type), "String!", edge.name);
      assert.ok(edge.getFields().node, edge.name);
    }
  });
});

describe("GraphQL code generation", () => {
  before(readSchema);

  const PRELUDE = {
    "operations.ts": `
      import type { MorningQuery, MorningQueryVariables } from "./generated";
      export const month: MorningQueryVariables = { range: { last: { count: 30, unit: "DAY" } } };
      // @ts-expect-error a range is one of its kinds, never two
      export const two: MorningQueryVariables = { range: { last: { count: 30, unit: "DAY" }, days: { from: "2024-01-01", to: "2024-01-31" } } };
      // @ts-expect-error the range is required
      export const none: MorningQueryVariables = {};
      type Actions = NonNullable<MorningQuery["actions"]>;
      export const amount = (answer: Actions): string | undefined => answer.totals?.reward[0]?.amount;
      // @ts-expect-error money is a string of digits, never a number
      export const wrong = (answer: Actions): number | undefined => answer.totals?.reward[0]?.amount;
      export const count = (answer: Actions): number | undefined => answer.totals?.count;
      // @ts-expect-error totals that could not be made are null beside a list that could
      export const sure = (answer: Actions): number => answer.totals.count;
    `,
  };

  /** What strict TypeScript says about the files. */
  function complaints(files) {
    const program = ts.createProgram(files, {
      strict: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      verbatimModuleSyntax: true,
      types: [],
    });
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ file, start, messageText }) => {
        const place = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
        return `${file?.fileName}:${place} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      });
  }

  async function generate(plugins, config = {}) {
    const { result, error } = await executeCodegen({
      schema: SCHEMA_FILE,
      documents: [QUERIES_FILE],
      silent: true,
      // Plug-ins are looked up from here, wherever the tests are started.
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      generates: {
        "generated.ts": {
          plugins,
          config: { strictScalars: true, scalars: SCALARS, enumsAsTypes: true, useTypeImports: true, ...config },
        },
      },
    });
    if (error) throw error;
    return result[0].content;
  }

  test("every scalar of the schema is mapped", () => {
    const own = Object.values(schema.getTypeMap())
      .filter((type) => isScalarType(type) && !isSpecifiedScalarType(type))
      .map(({ name }) => name);
    assert.deepEqual(own.filter((name) => !(name in SCALARS)), []);
  });

  test("types of the whole schema are made and check", async () => {
    const dir = folder("codegen-schema");
    const file = join(dir, "generated.ts");
    writeFileSync(file, await generate(["typescript"]));
    assert.match(readFileSync(file, "utf8"), /export type RangeInput =/);
    assert.deepEqual(complaints([file]), []);
  });

  test("the filter and the range of a report's row are inputs where a client says so", async () => {
    const dir = folder("codegen-report");
    const file = join(dir, "generated.ts");
    const use = join(dir, "use.ts");
    const drillDown = { ActionFilterValue: "ActionFilter", RangeValue: "RangeInput" };
    writeFileSync(file, await generate(["typescript"], { scalars: { ...SCALARS, ...drillDown } }));
    writeFileSync(
      use,
      `import type { QueryActionsArgs, ReportRow } from "./generated";
       export const drill = (row: ReportRow): QueryActionsArgs => ({ filter: row.filter, range: row.range });`,
    );
    assert.deepEqual(complaints([file, use]), []);
  });

  test("types of the ready-made queries are made and mean what we say", async () => {
    const dir = folder("codegen-operations");
    const generated = await generate(["typescript-operations"]);
    const file = join(dir, "generated.ts");
    writeFileSync(file, generated);
    const files = [file];
    for (const [name, text] of Object.entries(PRELUDE)) {
      files.push(join(dir, name));
      writeFileSync(files.at(-1), text);
    }
    for (const { name } of readyMadeQueries()) {
      assert.match(generated, new RegExp(`export type ${name}(Query|Mutation)\\b`));
      assert.match(generated, new RegExp(`export type ${name}(Query|Mutation)Variables\\b`));
    }
    assert.deepEqual(complaints(files), []);
  });
});

describe("Apollo Client", () => {
  before(readSchema);

  const QUERY = gql`
    query TwoRanges($range: RangeInput!) {
      topSellingCategories(range: $range, by: UNITS, first: 10) {
        nodes {
          rank units share reward { amount currency } change { ratio }
          category { id name }
          products(first: 5) { nodes { units reward { amount currency } product { id name category { id name } } } }
        }
      }
      productSegments(range: $range) {
        nodes {
          name size
          products(first: 5) { nodes { units reward { amount currency } product { id name category { id name } } } }
        }
      }
      userSegments(range: $range) {
        nodes {
          name size reward { amount currency }
          topProducts(first: 5) { nodes { units product { id name } } }
        }
      }
    }
  `;

  /**
   * The query with `id` selected wherever there is one, as many clients do by themselves: only
   * what carries an id is merged by the cache, so this is where ranges would mix.
   */
  function withIds(document) {
    const types = new TypeInfo(schema);
    return visit(
      document,
      visitWithTypeInfo(types, {
        SelectionSet: {
          leave(node) {
            const type = types.getParentType();
            const selected = node.selections.some((selection) => selection.name?.value === "id");
            if (selected || !type?.getFields?.().id) return undefined;
            const id = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: "id" } };
            return { ...node, selections: [id, ...node.selections] };
          },
        },
      }),
    );
  }

  /** Whole days that lie behind us, so that no answer changes between two requests. */
  function days(count) {
    const day = (back) => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
    return { days: { from: day(count), to: day(1) } };
  }

  function client() {
    const possibleTypes = Object.fromEntries(
      Object.values(schema.getTypeMap())
        .filter((type) => isInterfaceType(type) || isUnionType(type))
        .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
    );
    return new ApolloClient({
      link: new HttpLink({ uri: endpoint(), fetch: fetchWithKey }),
      cache: new InMemoryCache({ possibleTypes }),
    });
  }

  /** The answer straight from the server, past every cache. */
  async function fresh(range) {
    const { data } = await client().query({ query: TWO_RANGES, variables: { range }, fetchPolicy: "no-cache" });
    return data;
  }

  let TWO_RANGES;
  before(() => {
    TWO_RANGES = withIds(QUERY);
  });

  // Items without a category are a row, too: its category is null.
  const unitsByCategory = (answer) =>
    new Map(answer.topSellingCategories.nodes.map(({ category, units }) => [category?.id ?? null, units]));

  test("two ranges of the same query stay apart in the normalised cache", async () => {
    const month = days(30);
    const year = days(365);
    const shared = client();
    const read = (range) => shared.cache.readQuery({ query: TWO_RANGES, variables: { range } });

    const first = await shared.query({ query: TWO_RANGES, variables: { range: month } });
    const second = await shared.query({ query: TWO_RANGES, variables: { range: year } });
    for (const { data } of [first, second]) {
      assert.ok(data.topSellingCategories.nodes.length > 0);
      assert.ok(data.productSegments.nodes.some(({ products }) => products.nodes.length > 0));
      assert.ok(data.userSegments.nodes.length > 0);
    }

    // The ranges must share entities and differ in their numbers, else nothing could be mixed up.
    const [inMonth, inYear] = [first, second].map(({ data }) => unitsByCategory(data));
    const common = [...inMonth.keys()].filter((id) => id !== null && inYear.has(id));
    assert.ok(common.length > 0, "no category is in both ranges");
    assert.ok(common.some((id) => inMonth.get(id) !== inYear.get(id)), "both ranges show the same units");

    const [freshMonth, freshYear] = await Promise.all([fresh(month), fresh(year)]);
    assert.deepEqual(read(month), freshMonth, "the month changed in the cache");
    assert.deepEqual(read(year), freshYear, "the year changed in the cache");

    // The other order, on top of what is there already.
    await shared.query({ query: TWO_RANGES, variables: { range: month }, fetchPolicy: "network-only" });
    assert.deepEqual(read(year), freshYear, "re-reading the month changed the year");
    assert.deepEqual(read(month), freshMonth);
  });
});

describe("GraphQL over HTTP", () => {
  // The audit asks the server named at run time; its list does not depend on it.
  const audits = serverAudits({ url: endpoint, fetchFn: fetchWithKey });

  test("the audit is whole", () => {
    for (const level of ["MUST", "SHOULD", "MAY"]) {
      assert.ok(audits.some(({ name }) => name.startsWith(level)), `no ${level} audit`);
    }
    assert.equal(audits.length, 61);
  });

  for (const level of ["MUST", "SHOULD", "MAY"]) {
    describe(level, () => {
      for (const audit of audits.filter(({ name }) => name.startsWith(level))) {
        test(`${audit.id} ${audit.name}`, async () => {
          const { status, reason } = await audit.fn();
          assert.equal(status, "ok", reason);
        });
      }
    });
  }
});
