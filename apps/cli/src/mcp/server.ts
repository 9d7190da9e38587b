// `dari mcp`: the MCP server over standard input and output, on the HTTP client.

import { ApiError, ConnectionError, type Client } from "@dari/client";
import { createMcpServer, isSettled, tools, type AwaitMessage } from "@dari/mcp";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

export interface Serving {
  readonly client: Client;
  readonly version: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Aborts to end the server. */
  readonly signal: AbortSignal;
}

/** How often a message is read while a call waits for it, in milliseconds. */
const lookEveryMs = 500;

/** Serves over standard input and output until the input ends or the signal aborts. */
export async function serveMcp({ client, version, stdin, stdout, signal }: Serving): Promise<void> {
  const awaitMessage = pollWith(client);
  const serving = { version, tools, calls: client, awaitMessage, signal, describeError };
  const ended = Promise.race([once(stdin, "end"), once(stdin, "close"), once(signal, "abort")]);
  const handle = serveStdio(() => createMcpServer(serving), { transport: new StdioServerTransport(stdin, stdout) });
  if (!signal.aborted) await ended;
  await handle.close();
}

function pollWith(client: Client): AwaitMessage {
  return async (message, { timeoutMs, signal, report }) => {
    const until = performance.now() + timeoutMs;
    let record = message;
    while (!isSettled(record) && performance.now() < until) {
      report?.(`${record.id} is ${record.status}`);
      await pause(lookEveryMs, undefined, { signal });
      record = await client.getMessage(record.id, {}, { signal });
    }
    return record;
  };
}

function describeError(error: unknown): string | undefined {
  if (error instanceof ApiError) {
    return [error.detail, ...error.errors.map(({ path, message }) => `${path}: ${message}`)].join("\n");
  }
  return error instanceof ConnectionError ? error.message : undefined;
}
