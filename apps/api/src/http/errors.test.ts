// What a client reads if the database or the stored data fails.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Control } from "@dari/control/context";
import { SnapshotDamagedError } from "@dari/workspace";
import { expect, test } from "@jest/globals";
import express from "express";
import { createErrorHandler, RangeNotSatisfiableError } from "./errors.ts";

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Reply {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly detail: unknown;
}

async function replyTo(error: Error): Promise<Reply> {
  const app = express();
  app.get("/", () => {
    throw error;
  });
  app.use(createErrorHandler({ log } as unknown as Control));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const { detail } = (await response.json()) as { detail: unknown };
    return { status: response.status, retryAfter: response.headers.get("retry-after"), detail };
  } finally {
    server.close();
  }
}

test.each([
  ["ECONNREFUSED", "the database cannot be reached; retry in 2 s"],
  ["40P01", "the database could not complete the request; retry in 2 s"],
  ["53100", "the database could not complete the request; retry in 2 s"],
  ["25006", "the database could not complete the request; retry in 2 s"],
])("the database fails with %s", async (code, detail) => {
  const error = Object.assign(new Error("of the driver"), { code });
  expect(await replyTo(error)).toEqual({ status: 503, retryAfter: "2", detail });
});

test("stored data is damaged", async () => {
  const { status, detail } = await replyTo(new SnapshotDamagedError("an/object", "missing"));
  expect(status).toBe(500);
  expect(detail).toMatch(/; read another file, roll the session back, or publish the bundle again$/);
});

test("a range is outside the content", async () => {
  const { status, detail } = await replyTo(new RangeNotSatisfiableError(10));
  expect(status).toBe(416);
  expect(detail).toMatch(/10 bytes; request a range within it, or omit Range$/);
});
