// The environment of `npm start`: what makes the platform smaller and its start faster. The user's own values win.

import { bubblewrapEnv } from "./bubblewrap.mjs";
import { at } from "./paths.mjs";

export async function platformEnv() {
  const {
    // Compiled modules of earlier starts. With them, Node does not load its TypeScript parser.
    NODE_COMPILE_CACHE = at(".cache", "compiled"),
    // Memory pools of glibc. By default, each thread has its own.
    MALLOC_ARENA_MAX = "2",
  } = process.env;
  return { NODE_COMPILE_CACHE, MALLOC_ARENA_MAX, ...(await bubblewrapEnv()) };
}
