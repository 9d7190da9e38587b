// The MCP SDKs' clients, unmodified, of the current protocol and of the one before: each connects with the address
// alone.

import {
  Client as CurrentClient,
  StreamableHTTPClientTransport as CurrentTransport,
} from "@modelcontextprotocol/client";
import { Client as EarlierClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as EarlierTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { createTestAgent } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { currentProtocol, earlierProtocol, type Protocol } from "./mcp-client.ts";
import { answerOf, browse, createPerson, decide, redirectUri, type Parameters, type Person } from "./oauth-fixture.ts";

let api: TestApi;
let person: Person;
beforeAll(async () => {
  api = await startTestApi();
  person = await createPerson(api);
  await createTestAgent(api.db, person.organizationId);
});
afterAll(async () => api[Symbol.asyncDispose]());

/** Keeps what the client gets, as its users write it. */
function createProvider() {
  const kept: { client?: unknown; tokens?: unknown; verifier: string; url?: URL } = { verifier: "" };
  const provider = {
    redirectUrl: redirectUri,
    clientMetadata: { client_name: "An SDK", redirect_uris: [redirectUri] },
    state: () => "state",
    clientInformation: () => kept.client,
    saveClientInformation: (client: unknown) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens: unknown) => void (kept.tokens = tokens),
    redirectToAuthorization: (url: URL) => void (kept.url = url),
    saveCodeVerifier: (verifier: string) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
    invalidateCredentials: (scope: string) => {
      if (scope === "tokens" || scope === "all") delete kept.tokens;
      if (scope === "client" || scope === "all") delete kept.client;
    },
  };
  return { kept, provider };
}

interface Connecting {
  connect(): Promise<void>;
  finish(answer: URLSearchParams): Promise<void>;
  listTools(): Promise<string[]>;
  close(): Promise<void>;
}

const info = { name: "test", version: "1" };

function create(protocol: Protocol, provider: object): Connecting {
  const url = new URL(`${api.url}/mcp`);
  if (protocol === earlierProtocol) {
    const client = new EarlierClient(info);
    const transport = new EarlierTransport(url, { authProvider: provider as never });
    return {
      connect: () => client.connect(transport as never),
      finish: (answer) => transport.finishAuth(String(answer.get("code"))),
      listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
      close: () => client.close(),
    };
  }
  const client = new CurrentClient(info, { versionNegotiation: { mode: { pin: currentProtocol } } });
  const transport = new CurrentTransport(url, { authProvider: provider as never });
  return {
    connect: () => client.connect(transport),
    finish: (answer) => transport.finishAuth(answer),
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    close: () => client.close(),
  };
}

test.each([currentProtocol, earlierProtocol] as const)(
  "a client of %s signs in, calls, renews and ends",
  async (of) => {
    const { kept, provider } = createProvider();
    const first = create(of, provider);
    await expect(first.connect()).rejects.toThrow();
    const page = await fetch(String(kept.url), { redirect: "manual" });
    const at = new URL(String(page.headers.get("location")), api.url);
    expect(at.pathname).toBe("/console/authorize");
    const request = Object.fromEntries(at.searchParams) as Parameters;
    expect(request).toMatchObject({ resource: `${api.url}/mcp`, scope: "run read", code_challenge_method: "S256" });
    await first.finish(answerOf(await decide(api, person.cookie, request)));
    const second = create(of, provider);
    await second.connect();
    expect(await second.listTools()).toContain("send_message");
    // The token expires: the client renews it by itself.
    const before = kept.tokens;
    await api.db.pool.query("update api_keys set expires_at = clock_timestamp() where is_app");
    expect(await second.listTools()).toContain("send_message");
    expect(kept.tokens).not.toEqual(before);
    // The person disconnects the app: the client asks again.
    const [app] = (await browse(api, person.cookie, "GET", "/v1/me/apps")).json.data as { id: string }[];
    expect((await browse(api, person.cookie, "DELETE", `/v1/me/apps/${app!.id}`)).status).toBe(200);
    delete kept.url;
    await expect(second.listTools()).rejects.toThrow();
    expect(kept.url).toBeDefined();
    await Promise.all([first.close(), second.close()]);
  },
);
