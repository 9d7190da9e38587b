// @dari/react as users install it, with React 18 and 19, in a real browser against a platform.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith, isNightly, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "../src/browser.ts";
import { manifestFile } from "../src/conversation.ts";
import { run } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { checkout } from "../src/program.ts";
import { runOrThrow } from "../src/python-environment.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const showing = (meetingUrl: string) => ({
  ...manifestFile({ name: "showing", entrypoint: "agent.mjs:agent", env: { MEETING: meetingUrl } }),
  "agent.mjs": `import { readFile } from "node:fs/promises";
    const schema = { type: "object", required: ["approved"], properties: { approved: { type: "boolean" } } };
    export async function* agent(prompt, context) {
      if (prompt === "ask") {
        yield "decided: " + (await context.requestInput("pay", schema, { prompt: "Pay?" })).approved;
        return;
      }
      const [, point] = prompt.split(" at ");
      if (point !== undefined) {
        yield "one, ";
        await (await fetch(process.env.MEETING + point)).text();
        yield "two";
        return;
      }
      const file = context.parts.find((part) => part.local_path !== undefined);
      yield await context.tool("read", {}, () => (file ? readFile(file.local_path, "utf8") : "nothing"));
    }`,
});

/** Shows the state as text, and hands the actions to the test. */
const pageSource = `import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useDari, type AskedInput, type ConversationMessage, type Dari } from "@dari/react";

declare global {
  var dari: Dari;
  var asked: number;
}
const [apiUrl = "", sessionId = "", tokenOf = sessionId] = location.hash.slice(1).split(",");
globalThis.asked = 0;

function Page() {
  const token = async () => {
    globalThis.asked += 1;
    return (await fetch("/token/" + tokenOf)).text();
  };
  const dari = useDari({ apiUrl, sessionId, token });
  globalThis.dari = dari;
  const { messages, status, isConnected, error } = dari;
  return <pre>{JSON.stringify({ messages: messages.map(shown), status, isConnected, error: error?.message })}</pre>;
}

function shown({ input, status, parts }: ConversationMessage): unknown[] {
  const said = input.map((part) => (part.type === "text" ? part.text : part.path));
  const did = parts.map((part) => {
    if (part.type === "text" || part.type === "reasoning") return part.text;
    if (part.type === "tool_call") return part.name + " " + part.state;
    return part.type === "input" ? part.prompt + " " + part.state : part.type;
  });
  return [said.join(), status, did.join("|")];
}

export const isWaiting = (part: { type: string }): part is AskedInput => part.type === "input";
createRoot(document.querySelector("main")!).render(<StrictMode><Page /></StrictMode>);
`;

interface Shown {
  readonly messages: readonly [said: string, status: string, did: string][];
  readonly status: string;
  readonly isConnected: boolean;
  readonly error?: string;
}

const npmInstall = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];

describeWith("chromium", "the React hook", ({ command }) => {
  let dir: string;
  let platform: StandaloneProcess;
  let meeting: Rendezvous;
  let browser: Browser;
  let client: Client;
  let agentId: string;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    await runOrThrow(process.execPath, [join(checkout, "scripts/run.mjs"), "packages"]);
    meeting = await openRendezvous();
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
    ({ agentId } = await deployFiles(platform, showing(meeting.urlOf(""))));
    dir = await mkdtemp(join(tmpdir(), "dari-react-"));
    server = createServer((request, response) => {
      const [, first = "", second = ""] = (request.url ?? "").split("/");
      const reply = async (): Promise<readonly [type: string, body: string]> => {
        if (first === "token") return ["text/plain", (await client.createSessionToken(second, {})).token];
        if (second === "page.js") return ["text/javascript", await readFile(join(dir, first, "page.js"), "utf8")];
        return ["text/html", `<!doctype html><main></main><script type="module" src="/${first}/page.js"></script>`];
      };
      void reply().then(([type, body]) => response.writeHead(200, { "content-type": type }).end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    await client.putAllowedOrigins({ origins: [origin] });
  }, 300_000);

  afterAll(async () => {
    server?.close().closeAllConnections();
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  }, 300_000);

  async function read(page: Page): Promise<Shown> {
    return JSON.parse((await page.locator("pre").textContent()) ?? "") as Shown;
  }
  async function waitFor(page: Page, what: string, isReached: (shown: Shown) => boolean): Promise<Shown> {
    const found = async () => {
      const shown = await read(page);
      return isReached(shown) ? shown : undefined;
    };
    return waitUntil(found, { what, timeoutMs: 90_000 }).catch(async (cause: unknown) => {
      throw new Error(`${what} did not come: ${JSON.stringify(await read(page))}`, { cause });
    });
  }
  const did = (shown: Shown) => shown.messages.map(([, , text]) => text);

  describe.each(isNightly() ? ([18, 19] as const) : ([19] as const))("React %d", (major) => {
    const version = { 18: "18.3.1", 19: "19.3.1" }[major];

    beforeAll(async () => {
      const project = join(dir, String(major));
      await mkdir(project);
      await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
      await writeFile(join(project, "page.tsx"), pageSource);
      const readme = await readFile(join(checkout, "packages/react/README.md"), "utf8");
      await writeFile(join(project, "readme.tsx"), /```tsx\n(.*?)```/s.exec(readme)?.[1] ?? "");
      const ours = ["client", "react"].map((name) => `${platform.apiUrl}/packages/dari-${name}.tgz`);
      const theirs = ["react", "react-dom", "@types/react", "@types/react-dom"].map((name) =>
        name.startsWith("@") ? `${name}@${major}` : `${name}@${version}`,
      );
      await runOrThrow("npm", [...npmInstall, ...ours, ...theirs, "esbuild@0.28.2", "typescript@5.9.3"], {
        cwd: project,
      });
      const flags = ["--bundle", "--format=esm", "--jsx=automatic", "--outfile=page.js"];
      await runOrThrow(join(project, "node_modules/.bin/esbuild"), ["page.tsx", ...flags], { cwd: project });
    }, 300_000);

    const open = async (page: Page, sessionId: string, tokenOf = sessionId) => {
      await page.goto(`${origin}/${major}#${[platform.apiUrl, sessionId, tokenOf].join()}`);
    };
    const newPage = async () => {
      const page = await (await browser.newContext()).newPage();
      page.setDefaultTimeout(60_000);
      return page;
    };

    test("its types hold with --strict, also in its README", async () => {
      const flags = "--strict --noEmit --target es2022 --module esnext --moduleResolution bundler --jsx react-jsx";
      const cwd = join(dir, String(major));
      const checked = await run(join(cwd, "node_modules/.bin/tsc"), [...flags.split(" "), "page.tsx", "readme.tsx"], {
        cwd,
      });
      expect(checked).toMatchObject({ code: 0, stdout: "" });
    }, 300_000);

    test("frameworks with server components treat it as a module of the client", async () => {
      const built = await readFile(join(dir, String(major), "node_modules/@dari/react/index.js"), "utf8");
      expect(built).toMatch(/^"use client";/);
    });

    test("a page sends, uploads and answers, and shows each thing once", async () => {
      const { id } = await client.createSession(agentId);
      const page = await newPage();
      await open(page, id);
      await waitFor(page, "the empty session", ({ status }) => status === "idle");
      await page.evaluate(`dari.send("hello", [new File(["a file"], "a.txt", { type: "text/plain" })]).then(() => {})`);
      await waitFor(page, "the answer", ({ status, messages }) => status === "idle" && messages.length === 1);
      await page.evaluate(`dari.send("ask").then(() => {})`);
      const waiting = await waitFor(page, "the question", ({ status }) => status === "waiting_for_input");
      expect(waiting.messages).toEqual([
        ["hello,/input/a.txt", "completed", "read completed|a file"],
        ["ask", "waiting_for_input", "Pay? waiting"],
      ]);
      const question = `dari.messages.at(-1).parts.find(({ type }) => type === "input")`;
      await page.evaluate(`dari.answer(${question}, { approved: true }).then(() => {})`);
      const over = await waitFor(page, "the decision", ({ status }) => status === "idle");
      expect(over).toEqual({
        messages: [
          ["hello,/input/a.txt", "completed", "read completed|a file"],
          ["ask", "completed", "Pay? answered|decided: true"],
        ],
        status: "idle",
        isConnected: true,
      });
      await page.reload();
      expect(await waitFor(page, "the reloaded session", ({ isConnected }) => isConnected)).toEqual(over);
      await page.context().close();
    }, 300_000);

    test("two tabs, one of them reloaded in the middle of an answer, show the same", async () => {
      const { id } = await client.createSession(agentId);
      const [one, two] = [await newPage(), await newPage()];
      for (const page of [one, two]) await open(page, id);
      for (const page of [one, two]) await waitFor(page, "the stream", ({ isConnected }) => isConnected);
      await one.evaluate(`dari.send("count at tabs-${major}").then(() => {})`);
      await meeting.arrived(`tabs-${major}`);
      for (const page of [one, two]) await waitFor(page, "the beginning", (shown) => did(shown)[0] === "one, ");
      await one.reload();
      await waitFor(one, "the running turn", ({ status, isConnected }) => status === "running" && isConnected);
      meeting.open(`tabs-${major}`);
      for (const page of [one, two]) {
        const over = await waitFor(page, "the end", ({ status }) => status === "idle");
        expect(over.messages).toEqual([[`count at tabs-${major}`, "completed", "one, two"]]);
        await page.context().close();
      }
    }, 300_000);

    test("it stops a turn, and goes on with a new token after the first one was revoked", async () => {
      const { id } = await client.createSession(agentId);
      const page = await newPage();
      await open(page, id);
      await waitFor(page, "the stream", ({ isConnected }) => isConnected);
      await page.evaluate(`dari.send("count at never-${major}").then(() => {})`);
      await meeting.arrived(`never-${major}`);
      await page.evaluate(`dari.cancel().then(() => {})`);
      await waitFor(page, "the end", ({ messages }) => messages[0]?.[1] === "cancelled");
      expect(await page.evaluate("asked")).toBe(1);
      await client.revokeSessionTokens(id);
      await waitUntil(async () => (await page.evaluate("asked")) === 2, { what: "a new token", timeoutMs: 60_000 });
      await client.send(id, "from the server");
      await page.evaluate(`dari.send("from the page").then(() => {})`);
      const over = await waitFor(page, "both", ({ messages, status }) => messages.length === 3 && status === "idle");
      expect(over.messages.map(([said]) => said)).toEqual([
        `count at never-${major}`,
        "from the server",
        "from the page",
      ]);
      await page.context().close();
    }, 300_000);

    test("it stops a message that the platform has not accepted yet", async () => {
      const { id } = await client.createSession(agentId);
      const page = await newPage();
      await open(page, id);
      await waitFor(page, "the stream", ({ isConnected }) => isConnected);
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      await page.route("**/messages/async", async (route) => {
        await held;
        await route.continue();
      });
      await page.evaluate(`dari.send("count at early-${major}").then(() => {}); dari.cancel().then(() => {}); 0`);
      release();
      await waitFor(page, "the end", ({ messages }) => messages[0]?.[1] === "cancelled");
      await page.context().close();
    }, 300_000);

    test("it says why it cannot read a session", async () => {
      const [own, other] = [await client.createSession(agentId), await client.createSession(agentId)];
      const page = await newPage();
      await open(page, other.id, own.id);
      const refused = await waitFor(page, "the refusal", ({ error }) => error !== undefined);
      expect(refused).toMatchObject({ status: "loading", isConnected: false, messages: [] });
      expect(refused.error).toContain("the session token is for another session");
      await page.context().close();
    }, 300_000);
  });
});
