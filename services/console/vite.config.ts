/// <reference types="vitest/config" />
// How the console is built: into gen/console, committed, the same bytes for the same source.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// Where the dev server sends requests that are not for the console: a running `ck8s up`.
const server = process.env["CK8S_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  // gen/ts lies outside this folder and has no node_modules of its own.
  resolve: { dedupe: ["@bufbuild/protobuf"] },
  build: {
    outDir: "../../gen/console",
    emptyOutDir: true,
    target: "es2022",
    // The server sends `default-src 'self'`: nothing may be inline, in the page or as a data URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    fs: { allow: [".", "../../gen/ts"] },
    proxy: { "^/(ck8s\\.|grpc\\.|api/|auth/|healthz|readyz|version)": { target: server } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
