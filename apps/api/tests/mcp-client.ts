// Unmodified clients of MCP, of the current protocol and of the one before, for tests.

import {
  Client as CurrentClient,
  StreamableHTTPClientTransport as CurrentTransport,
} from "@modelcontextprotocol/client";
import { Client as EarlierClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as EarlierTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { TestApi } from "./api-fixture.ts";

export const currentProtocol = "2026-07-28";
export const earlierProtocol = "2025-11-25";
export type Protocol = typeof currentProtocol | typeof earlierProtocol;

export interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
  /** The text as JSON; empty if it is not JSON. */
  readonly json: Record<string, unknown>;
}

export interface CallToolOptions {
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

export interface ListedTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: object;
}

export interface McpClient extends AsyncDisposable {
  listTools(): Promise<readonly ListedTool[]>;
  call(name: string, input?: Record<string, unknown>, options?: CallToolOptions): Promise<ToolAnswer>;
}

export interface ConnectOptions {
  readonly protocol?: Protocol;
  readonly key?: string;
  /** The API's address, if it is not the fixture's own. */
  readonly url?: string;
  /** Sent after `/mcp`. */
  readonly query?: string;
  /** What the person answers; absent: the client cannot ask. */
  readonly answer?: (question: { message: string; requestedSchema: unknown }) => object;
  readonly headers?: Record<string, string>;
  /** Sends the requests of the current client. */
  readonly fetch?: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
}

/** Connects the protocol's own client. */
export function connectMcp(api: TestApi, options: ConnectOptions = {}): Promise<McpClient> {
  return options.protocol === earlierProtocol ? connectEarlier(api, options) : connectCurrent(api, options);
}

function addressOf(api: TestApi, { url = api.url, query = "" }: ConnectOptions): URL {
  return new URL(`${url}/mcp${query}`);
}

function requestInitOf(api: TestApi, { key = api.org.apiKey, headers = {} }: ConnectOptions) {
  return { headers: { authorization: `Bearer ${key}`, ...headers } };
}

const info = { name: "test", version: "1" };
const capabilitiesOf = ({ answer }: ConnectOptions) => (answer === undefined ? {} : { elicitation: {} });

async function connectCurrent(api: TestApi, options: ConnectOptions): Promise<McpClient> {
  const { answer } = options;
  const versionNegotiation = { mode: { pin: currentProtocol } } as const;
  const client = new CurrentClient(info, { capabilities: capabilitiesOf(options), versionNegotiation });
  if (answer !== undefined)
    client.setRequestHandler("elicitation/create", ({ params }) => answer(params as never) as never);
  const transportOptions = { requestInit: requestInitOf(api, options), ...(options.fetch && { fetch: options.fetch }) };
  await client.connect(new CurrentTransport(addressOf(api, options), transportOptions));
  return {
    listTools: async () => (await client.listTools()).tools,
    call: async (name, input = {}, how = {}) =>
      toAnswer(await client.callTool({ name, arguments: input }, requestOptionsOf(how))),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectEarlier(api: TestApi, options: ConnectOptions): Promise<McpClient> {
  const client = new EarlierClient(info, { capabilities: capabilitiesOf(options) });
  const transport = new EarlierTransport(addressOf(api, options), { requestInit: requestInitOf(api, options) });
  // The client's types do not allow an optional property to be undefined.
  await client.connect(transport as never);
  return {
    listTools: async () => (await client.listTools()).tools,
    call: async (name, input = {}, how = {}) =>
      toAnswer(await client.callTool({ name, arguments: input }, undefined, requestOptionsOf(how))),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function requestOptionsOf({ onProgress, signal }: CallToolOptions) {
  return {
    timeout: 120_000,
    ...(onProgress && { onprogress: ({ message }: { message?: string | undefined }) => onProgress(message ?? "") }),
    ...(signal && { signal }),
  };
}

function toAnswer(result: object): ToolAnswer {
  const { content, isError = false } = result as { content: { type: string; text: string }[]; isError?: boolean };
  const text = content.map((part) => part.text).join("\n");
  return { isError, text, json: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

let lastId = 0;

/** The body of one request of the current protocol, for calls without a client. */
export function requestOf(method: string, params: object = {}): { body: object; headers: Record<string, string> } {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": currentProtocol,
    "io.modelcontextprotocol/clientInfo": info,
    "io.modelcontextprotocol/clientCapabilities": {},
    ...(params as { _meta?: object })._meta,
  };
  const { name } = params as { name?: string };
  return {
    body: { jsonrpc: "2.0", id: (lastId += 1), method, params: { ...params, _meta } },
    headers: {
      "mcp-protocol-version": currentProtocol,
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": name }),
    },
  };
}

/** The messages in a reply, whether it is a stream or not. */
export function messagesIn(text: string): Record<string, unknown>[] {
  const lines = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => data!);
  return (lines.length > 0 ? lines : [text]).map((line) => JSON.parse(line) as Record<string, unknown>);
}
