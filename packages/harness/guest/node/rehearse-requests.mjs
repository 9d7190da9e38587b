// Makes requests to a server in this process, so that each fork of it has loaded what an agent's first request loads:
// fetch, http, streams, TLS. All connections are closed afterwards.

import { createRequire } from "node:module";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";

// An import of http would read all its exports.
const require = createRequire(import.meta.url);
const resourcesOf = process.getActiveResourcesInfo.bind(process);
/** V8 compiles some things, such as regular expressions, again on their second use. */
const times = 2;
/** How long closed connections may take to disappear, in milliseconds. */
const closedWithinMs = 1_000;
const whole = toReply("application/json", '{"output":[]}');
const stream = toReply("text/event-stream", toEvents([{ type: "created" }, { type: "completed" }]));

/** Called before any code of the agent is loaded. Leaves no connection, thread or timer. */
export async function rehearseRequests() {
  // Reads the certificates.
  require("node:tls").createSecureContext();
  require("node:https");
  await withServer(
    (path) => (path.startsWith("/stream") ? stream : whole),
    async (origin) => {
      for (let i = 0; i < times; i += 1) await request(origin);
    },
  );
  // fetch lists its requests there.
  performance.clearResourceTimings();
}

async function request(origin) {
  const headers = { "content-type": "application/json", authorization: "Bearer none", accept: "*/*" };
  const body = JSON.stringify({ input: [{ role: "user", content: "" }], stream: true });
  const options = { method: "POST", headers, body, signal: new AbortController().signal };
  await (await fetch(`${origin}/whole`, options)).json();
  const decoder = new TextDecoder();
  for await (const chunk of (await fetch(`${origin}/stream`, options)).body) decoder.decode(chunk, { stream: true });
  await new Promise((resolve, reject) => {
    require("node:http")
      .get(`${origin}/whole`, (response) => response.resume().once("end", resolve))
      .once("error", reject);
  });
}

function toReply(type, body) {
  return `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nconnection: close\r\n\r\n${body}`;
}

function toEvents(events) {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

/** Calls `use` with the origin of a server that answers a request with `replyTo(path)`, and closes all connections. */
async function withServer(replyTo, use) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, replyTo);
  });
  const before = countConnections();
  try {
    await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    const end = performance.now() + closedWithinMs;
    while (countConnections() > before && performance.now() < end) await setTimeout(1);
  }
}

const countConnections = () => resourcesOf().filter((name) => name.startsWith("TCP")).length;

function serve(socket, replyTo) {
  let received = "";
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    const head = received.indexOf("\r\n\r\n");
    const length = Number(/^content-length: *(\d+)/im.exec(received)?.[1] ?? 0);
    if (head >= 0 && received.length >= head + 4 + length) socket.end(replyTo(received.split(" ")[1]));
  });
}
