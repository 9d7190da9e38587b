// A chat page of another origin in a real browser: it sends, uploads, streams and answers with a session token that its
// own server asks for, and can do nothing else.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith, isNightly, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "../src/browser.ts";
import { manifestFile } from "../src/conversation.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { checkout } from "../src/program.ts";
import { runOrThrow } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const chat = {
  ...manifestFile({ name: "chat", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { readFile } from "node:fs/promises";
    const schema = { type: "object", required: ["ok"], properties: { ok: { type: "boolean" } } };
    export async function* agent(prompt, context) {
      console.log("printed for operators");
      if (prompt === "ask") {
        yield "decided: " + (await context.requestInput("ok", schema, { prompt: "May I?" })).ok;
        return;
      }
      yield context.metadata.end_user_name + " said: " + prompt;
      for (const part of context.parts) if (part.path) yield ", with " + (await readFile(part.path, "utf8"));
    }`,
};

/** The page's part of the test, with the client of the platform's release. */
const pageScript = (apiUrl: string): string => `
  import { createClient } from "/dari-client.js";
  const options = { apiUrl: ${JSON.stringify(apiUrl)} };
  let asked = 0;
  const token = async () => {
    asked += 1;
    return (await fetch("/token")).text();
  };
  const client = createClient({ ...options, token });
  const told = (error) => [error.name, error.status ?? 0, error.detail ?? error.message];
  Object.assign(globalThis, {
    asked: () => asked,
    seen: [],
    async say(session, text, files = []) {
      const types = [];
      let answer = "";
      for await (const event of client.stream(session, text, { files })) {
        types.push(event.type);
        if (event.type === "message.completed") answer = event.data.output.parts[0].text;
      }
      return { types, answer };
    },
    async answer(session) {
      const sent = await client.sendMessageAsync(session, { parts: [{ type: "text", text: "ask" }] });
      for await (const event of client.streamMessage(sent.id)) {
        if (event.type === "input.requested") await client.answerInput(sent.id, { key: "ok", value: { ok: true } });
      }
      return (await client.waitForMessage(sent.id)).output.parts[0].text;
    },
    async follow(session) {
      for await (const event of client.streamSession(session)) seen.push(event.sequence_number ?? event.type);
    },
    call: (method, ...args) => client[method](...args).then((reply) => ["ok", reply.id ?? null], told),
    plain: (path, init) => fetch(options.apiUrl + path, init).then((reply) => reply.status, (error) => error.name),
  });
  document.title = "ready";
`;

describeWith("chromium", "a page of another origin", ({ command }) => {
  let dir: string;
  let platform: StandaloneProcess;
  let browser: Browser;
  let client: Client;
  let agentId: string;
  let library: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    await runOrThrow(process.execPath, [join(checkout, "scripts/run.mjs"), "packages"]);
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
    ({ agentId } = await deployFiles(platform, chat));
    dir = await mkdtemp(join(tmpdir(), "dari-browsers-"));
    const archive = await fetch(`${platform.apiUrl}/packages/dari-client.tgz`);
    await writeFile(join(dir, "client.tgz"), Buffer.from(await archive.arrayBuffer()));
    await runOrThrow("tar", ["-xzf", "client.tgz"], { cwd: dir });
    library = await readFile(join(dir, "package/index.js"), "utf8");
  }, 300_000);

  afterAll(async () => {
    for (const server of servers) server.close().closeAllConnections();
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  }, 60_000);

  /** Starts the server of a page. It gets tokens of the session with the API key, for its signed-in end user. */
  async function startApp(host: string, sessionId: string, seconds = 3_600): Promise<string> {
    const server = createServer((request, response) => {
      const reply = async (): Promise<readonly [type: string, body: string]> => {
        if (request.url === "/token") {
          const end_user = { id: "u1", name: "Zoë" };
          return ["text/plain", (await client.createSessionToken(sessionId, { expires_in: seconds, end_user })).token];
        }
        if (request.url === "/dari-client.js") return ["text/javascript", library];
        if (request.url === "/page.js") return ["text/javascript", pageScript(platform.apiUrl)];
        return ["text/html", `<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>`];
      };
      void reply().then(([type, body]) => response.writeHead(200, { "content-type": type }).end(body));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://${host}:${(server.address() as AddressInfo).port}`;
  }

  async function openPage(origin: string): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    await page.goto(origin);
    await page.waitForFunction("document.title === 'ready'");
    return page;
  }

  const run = (page: Page, name: string, ...args: unknown[]): Promise<unknown> =>
    page.evaluate(`${name}(...${JSON.stringify(args)})`);

  test("sends, uploads, streams and answers from an allowed origin, and no more", async () => {
    const [session, other] = [await client.createSession(agentId), await client.createSession(agentId)];
    const origin = await startApp("localhost", session.id);
    await client.putAllowedOrigins({ origins: [origin] });
    const page = await openPage(origin);
    const files = [{ filename: "a.txt", content: "a file" }];
    const said = (await run(page, "say", session.id, "hello", files)) as { types: string[]; answer: string };
    expect(said.answer).toBe("Zoë said: hello, with a file");
    expect(said.types).toEqual(expect.arrayContaining(["user.message", "attempt.started", "message.completed"]));
    expect(said.types).not.toContain("log");
    expect(await run(page, "answer", session.id)).toBe("decided: true");
    expect(await run(page, "call", "getSession", session.id)).toEqual(["ok", session.id]);
    const forbidden = ["ApiError", 403, expect.stringContaining("the session token is for another session")];
    expect(await run(page, "call", "getSession", other.id)).toEqual(forbidden);
    expect(await run(page, "call", "sendMessageAsync", other.id, { parts: [{ type: "text", text: "x" }] })).toEqual(
      forbidden,
    );
    const unreachable = ["ConnectionError", 0, expect.stringContaining("Failed to fetch")];
    for (const method of ["listSessions", "listAgents", "getMe"]) {
      expect([method, await run(page, "call", method)]).toEqual([method, unreachable]);
    }
    // The path accepts tokens for uploads, so the refusal is readable.
    const refused = ["ApiError", 403, expect.stringContaining("a session token cannot make this request")];
    expect(await run(page, "call", "listFiles")).toEqual(refused);
    expect(await run(page, "asked")).toBe(1);
    expect((await client.listMessages(other.id)).data).toEqual([]);
    expect((await client.listMessages(session.id)).data[0]?.metadata).toEqual({
      session_token_id: expect.any(String),
      end_user_id: "u1",
      end_user_name: "Zoë",
    });
    await page.context().close();
  }, 120_000);

  test("can neither send nor read from an origin that is not allowed", async () => {
    const session = await client.createSession(agentId);
    await client.putAllowedOrigins({ origins: ["https://app.example.com"] });
    const page = await openPage(await startApp("localhost", session.id));
    const unreachable = ["ConnectionError", 0, expect.stringContaining("Failed to fetch")];
    const body = { parts: [{ type: "text", text: "x" }] };
    expect(await run(page, "call", "getSession", session.id)).toEqual(unreachable);
    expect(await run(page, "call", "sendMessageAsync", session.id, body)).toEqual(unreachable);
    expect((await client.listMessages(session.id)).data).toEqual([]);
    await page.context().close();
  }, 60_000);

  test("cannot use the cookie of a person who is signed in to the console, also on the same site", async () => {
    const session = await client.createSession(agentId);
    const origin = await startApp("127.0.0.1", session.id);
    await client.putAllowedOrigins({ origins: [origin] });
    const signedIn = await (await browser.newContext()).newPage();
    await signedIn.goto(`${platform.apiUrl}/docs`);
    const signIn = `fetch("/v1/me/sign-in", { method: "POST", headers: { authorization: "Bearer ${platform.apiKey}" } })
      .then((reply) => reply.status)`;
    expect(await signedIn.evaluate(signIn)).toBe(200);
    await signedIn.goto(origin);
    await signedIn.waitForFunction("document.title === 'ready'");
    const path = `/v1/sessions/${session.id}`;
    for (const init of [
      { credentials: "include" },
      { credentials: "include", method: "POST", body: "{}" },
      { credentials: "include", headers: { authorization: "Bearer dtok_x.y" } },
      { credentials: "include", method: "DELETE" },
    ]) {
      expect([init, await run(signedIn, "plain", path, init)]).toEqual([init, "TypeError"]);
    }
    expect((await client.getSession(session.id)).id).toBe(session.id);
    await signedIn.context().close();
  }, 60_000);

  test("continues its stream with a new token when its token expires or is revoked, without a gap", async () => {
    const session = await client.createSession(agentId);
    const origin = await startApp("localhost", session.id, 60);
    await client.putAllowedOrigins({ origins: [origin] });
    const page = await openPage(origin);
    await page.evaluate(`void follow(${JSON.stringify(session.id)})`);
    const numbers = async (): Promise<number[]> =>
      ((await page.evaluate("seen")) as unknown[]).filter((one) => typeof one === "number");
    const expectAll = async (): Promise<void> => {
      const last = (await client.listEvents(session.id, { limit: 500 })).data.length;
      await waitUntil(async () => (await numbers()).length >= last, { what: "all events", timeoutMs: 30_000 });
      expect(await numbers()).toEqual(Array.from({ length: last }, (_, index) => index + 1));
    };
    await client.send(session.id, "before");
    await expectAll();
    await client.revokeSessionTokens(session.id);
    await client.send(session.id, "revoked");
    await expectAll();
    await waitUntil(async () => (await run(page, "asked")) === 2, { what: "the stream to end" });
    await client.send(session.id, "renewed");
    await expectAll();
    // The second token lives for a minute, the shortest time: too long to wait for by day.
    if (!isNightly()) return page.context().close();
    await waitUntil(async () => (await run(page, "asked")) === 3, { what: "the token to expire", timeoutMs: 90_000 });
    await client.send(session.id, "expired");
    await expectAll();
    await page.context().close();
  }, 240_000);
});
