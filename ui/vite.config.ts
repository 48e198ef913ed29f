import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` shows the UI with changes at once; the API is that of a server started by hand.
const api = process.env.RPORT_API ?? "http://127.0.0.1:3000";

export default defineConfig({
  // Relative: the server writes the way up into the first page, so that any sub-path works.
  base: "./",
  plugins: [react()],
  build: {
    target: "es2022",
    sourcemap: false,
    // No inline data for fonts and pictures, the policy of the pages has none.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/api": { target: api, ws: true } } },
  // One imitated browser for all files: making it takes longer than all tests.
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], isolate: false, maxWorkers: 1 },
});
