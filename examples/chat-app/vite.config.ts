// `npm run dev` serves the page, and passes calls of this app's own server on to it.

import { defineConfig } from "vite";

export default defineConfig({
  build: { target: "es2022" },
  server: { port: 5174, strictPort: true, proxy: { "/api": "http://127.0.0.1:5173" } },
});
