// Makes every version of Node use the proxy variables, if possible only on first use: Node's own NODE_USE_ENV_PROXY
// loads all of fetch at each start, which doubles the start time.

import { createRequire } from "node:module";
import { noteRefusedConnections } from "./own-network.mjs";

// An import of http would read all its exports, which loads fetch.
const require = createRequire(import.meta.url);
const dispatcher = Symbol.for("undici.globalDispatcher.1");

/** Called before any code of the agent is loaded. Does nothing without proxy variables. */
export async function useProxyVariables() {
  const { HTTPS_PROXY } = process.env;
  if (!HTTPS_PROXY) return;
  noteRefusedConnections();
  // For programs that the agent starts: Node reads this variable at its start.
  process.env.NODE_USE_ENV_PROXY = "1";
  const http = require("node:http");
  // Since 24.14 and 25.4.
  if (http.setGlobalProxyFromEnv === undefined) {
    const { default: node20 } = await import("./proxied-node20.cjs");
    return node20.sendThrough(new URL(HTTPS_PROXY));
  }
  http.globalAgent = proxiedAgent(http);
  proxyHttps(http);
  proxyFetch(http);
  proxyThreads();
}

/** Creates an agent like Node's global ones, but with the proxy variables. */
function proxiedAgent(module) {
  return new module.Agent({ keepAlive: true, scheduling: "lifo", timeout: 5_000, proxyEnv: process.env });
}

/** Adds the proxy at the first https request, so that a turn without one does not load it. */
function proxyHttps({ Agent: { prototype } }) {
  const { addRequest } = prototype;
  let original, proxied;
  prototype.addRequest = function (...given) {
    if (original === undefined && this.protocol === "https:") {
      const https = require("node:https");
      original = https.globalAgent;
      proxied = proxiedAgent(https);
    }
    return addRequest.apply(this === original ? proxied : this, given);
  };
}

/** All copies of fetch's implementation look for their dispatcher in one place, and create one if it is missing. */
function proxyFetch(http) {
  let made;
  const real = () => {
    if (made !== undefined) return made;
    const https = require("node:https");
    const agents = [http.globalAgent, https.globalAgent];
    http.setGlobalProxyFromEnv();
    // Node has replaced these too, and the agent may have set its own in the meantime.
    [http.globalAgent, https.globalAgent] = agents;
    return (made = globalThis[dispatcher]);
  };
  const get = (_, name) => (typeof real()[name] === "function" ? made[name].bind(made) : made[name]);
  globalThis[dispatcher] = new Proxy({}, { get, getPrototypeOf: () => Object.getPrototypeOf(real()) });
}

/** A thread has its own globals, which Node's option handles. */
function proxyThreads() {
  const threads = require("node:worker_threads");
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(file, options) {
      super(file, { ...options, execArgv: [...(options?.execArgv ?? process.execArgv), "--use-env-proxy"] });
    }
  };
  Object.defineProperty(threads.Worker, "name", { value: "Worker" });
}
