// PostGraphile 5 as its documentation says for production: no GraphiQL, no watching, filters and aggregates.
//
//   PORT=… DATABASE_URL=… node server.mjs [schema]

import { createServer } from "node:http";
import { PgAggregatesPreset } from "@graphile/pg-aggregates";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { printSchema } from "postgraphile/graphql";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const instance = postgraphile({
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset, PgAggregatesPreset],
  pgServices: [
    makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["peer"], poolConfig: { max: 16 } }),
  ],
  disablePlugins: ["MutationPlugin"],
  grafserv: { graphqlPath: "/graphql", watch: false, graphiql: false, websockets: false },
  grafast: { explain: false },
});

if (process.argv[2] === "schema") {
  console.log(printSchema((await instance.getSchemaResult()).schema));
  process.exit(0);
}
const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await instance.createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
