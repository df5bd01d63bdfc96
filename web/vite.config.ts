import { defineConfig } from "vite";

// The binary embeds `dist` and serves index.html at /graphiql and everything else under /assets.
// Nothing is inlined into the page: the content security policy refuses inline scripts and,
// apart from what the editor's own style sheet carries, data: addresses.
export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // The editor alone is larger than the default warning.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      onwarn(warning, warn) {
        // React's server directives mean nothing in a page.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
    license: { fileName: "assets/LICENSES.md" },
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a running `actiongraph demo`.
    proxy: {
      "/graphql": "http://127.0.0.1:8080",
      "/schema.graphql": "http://127.0.0.1:8080",
    },
  },
});
