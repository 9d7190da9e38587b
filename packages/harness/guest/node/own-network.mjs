// Explains refused connections in the log: the sandbox has its own loopback, and everything else must go through the
// proxy. The client's own error often names neither the address nor the reason.

import { subscribe } from "node:diagnostics_channel";
import { errorMonitor } from "node:events";
import { writeSync } from "node:fs";

const refusals = new Set(["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EACCES", "EPERM"]);
const isLoopback = /^(127\.|::1$|::ffff:127\.)/i;
const isPrivate = /^(::ffff:)?(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)|^f([cd]|e[89ab])[0-9a-f]*:/i;
const destinationsMax = 20;

/** Messages by `address:port`. */
const refused = new Map();

/** Called once, before the agent's code is loaded, in a sandbox whose network is a proxy. */
export function noteRefusedConnections() {
  subscribe("net.client.socket", ({ socket }) => {
    socket.once(errorMonitor, (error) => {
      for (const one of error.errors ?? [error]) note(one);
    });
    // Ignore refusals from before a server was ready.
    socket.once("connect", () => refused.delete(destinationOf(socket.remoteAddress, socket.remotePort)));
  });
}

/** Called at the end of a turn: logs the connections that were refused in it. */
export function tellRefusedConnections() {
  const lines = [...refused].map(([destination, reason]) => `egress: ${destination} refused: ${reason}\n`);
  refused.clear();
  try {
    if (lines.length > 0) writeSync(2, lines.join(""));
  } catch {
    // The agent has closed its stderr.
  }
}

function note({ code, syscall, address, port }) {
  if (syscall !== "connect" || !refusals.has(code) || typeof address !== "string" || port === undefined) return;
  if (refused.size < destinationsMax) refused.set(destinationOf(address, port), reasonOf(address, port));
}

function destinationOf(address = "", port) {
  if (isLoopback.test(address)) return `127.0.0.1:${port}`;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function reasonOf(address, port) {
  const opened = `DARI_EGRESS_ALLOW=${destinationOf(address, port)}`;
  if (isLoopback.test(address)) {
    const own = "nothing listens there in the sandbox, which has its own loopback";
    return `${own}; operators open a port of their machine with ${opened}`;
  }
  const direct = "the client did not use the sandbox's proxy (HTTPS_PROXY)";
  if (isPrivate.test(address)) return `${direct}, which reaches a private address only where operators set ${opened}`;
  return `${direct}, and there is no other network`;
}
