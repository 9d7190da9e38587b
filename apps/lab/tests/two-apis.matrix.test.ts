// Two API processes share one limit: together they let exactly the limit through.

import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@dari/embedded";
import { createTestAgent, createTestDatabase, createTestOrganization, createTestSession } from "@dari/testkit";
import { expect, test } from "@jest/globals";
import { machineEnvironment } from "../src/config.ts";
import { startProgram } from "../src/program.ts";
import { removeDirectory } from "../src/remove-directory.ts";

const clients = 64;

test("64 clients over two processes get exactly as many calls as the limit allows", async () => {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "dari-two-apis-"));
  stack.defer(() => removeDirectory(dir));
  const database = stack.adopt(await createTestDatabase(), (opened) => opened.close());
  const masterKey = randomBytes(32).toString("base64");
  const start = async (name: string): Promise<string> => {
    const port = await freePort();
    const env = {
      ...machineEnvironment(),
      DATABASE_URL: database.url,
      DARI_MASTER_KEY: masterKey,
      DARI_BLOBS_DIR: join(dir, "objects"),
      DARI_PORT: String(port),
      DARI_MAX_REQUESTS_PER_MINUTE: "600",
      DARI_MAX_MESSAGES_PER_MINUTE: "100",
    };
    stack.use(await startProgram({ name, entry: "apps/api/src/main.ts", env, dir, readyWhen: /api\.started/ }));
    return `http://127.0.0.1:${port}`;
  };
  const urls = [await start("api-1"), await start("api-2")];
  const { organizationId, apiKey } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  const sessionId = await createTestSession(database.db, organizationId, agentId);

  const call = async (number: number, method: "GET" | "POST", path: string): Promise<number> => {
    const response = await fetch(`${urls[number % urls.length]}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(method === "GET" ? {} : { body: JSON.stringify({ parts: [{ type: "text", text: "hello" }] }) }),
    });
    await response.arrayBuffer();
    return response.status;
  };
  const all = async (calls: number, method: "GET" | "POST", path: string): Promise<Record<number, number>> => {
    const seen: Record<number, number> = {};
    const one = async (client: number): Promise<void> => {
      for (let number = client; number < calls; number += clients) {
        const status = await call(number + Math.floor(number / clients), method, path);
        seen[status] = (seen[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
    return seen;
  };

  // Each of these 200 is a request as well.
  expect(await all(200, "POST", `/v1/sessions/${sessionId}/messages/async`)).toEqual({ 202: 100, 429: 100 });
  expect(await all(1_000, "GET", `/v1/sessions/${sessionId}`)).toEqual({ 200: 400, 429: 600 });
}, 180_000);
