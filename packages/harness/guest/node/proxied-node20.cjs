// Makes fetch, http and https go through a proxy, for a Node that cannot be told to after its start.

const http = require("node:http");
const https = require("node:https");
const tls = require("node:tls");

const direct = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);
const dispatcher = Symbol.for("undici.globalDispatcher.1");
const ALPNProtocols = ["http/1.1"];

/** Calls back with a socket to the host: a tunnel, and TLS inside it where `secure`. */
function open(proxy, { host, port, servername, secure, ...rest }, callback) {
  const asked = http.request({
    host: proxy.hostname,
    port: proxy.port,
    method: "CONNECT",
    path: `${host}:${port}`,
    agent: false,
  });
  asked.once("error", callback);
  asked.once("connect", (response, socket) => {
    if (response.statusCode !== 200) {
      socket.destroy();
      return callback(new Error(`the proxy answered ${response.statusCode} for ${host}:${port}`));
    }
    if (!secure) return callback(null, socket);
    const inner = tls.connect({ ...rest, path: undefined, socket, servername: servername || host, ALPNProtocols });
    inner.once("error", callback);
    inner.once("secureConnect", () => callback(null, inner));
  });
  asked.end();
}

function agentClass(Base, proxy, secure) {
  return class extends Base {
    createConnection(options, callback) {
      if (direct.has(options.host)) return super.createConnection(options, callback);
      open(proxy, { ...options, secure }, callback);
    }
  };
}

/** @param {URL} proxy speaks plain HTTP */
exports.sendThrough = function sendThrough(proxy) {
  http.globalAgent = new (agentClass(http.Agent, proxy, false))({ keepAlive: true });
  https.globalAgent = new (agentClass(https.Agent, proxy, true))({ keepAlive: true });
  // Loads fetch's implementation, which puts its dispatcher in a place that all of its copies share.
  void globalThis.Headers;
  const Agent = globalThis[dispatcher]?.constructor;
  if (Agent === undefined) return;
  const plain = new Agent();
  const proxied = new Agent({
    connect({ hostname, port, protocol, servername }, callback) {
      const secure = protocol === "https:";
      open(proxy, { host: hostname, port: port || (secure ? 443 : 80), servername, secure }, callback);
    },
  });
  const { dispatch } = Agent.prototype;
  proxied.dispatch = (options, handler) =>
    dispatch.call(direct.has(new URL(options.origin).hostname) ? plain : proxied, options, handler);
  globalThis[dispatcher] = proxied;
};
