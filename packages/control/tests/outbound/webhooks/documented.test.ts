// The code in docs/webhooks.md works as described: it accepts what this platform signs, and nothing else.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createWebhookSecret, signDelivery } from "../../../src/outbound/webhooks/sign-webhook.ts";

const page = join(import.meta.dirname, "..", "..", "..", "..", "..", "docs", "webhooks.md");
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dari-documented-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function blockOf(language: string): Promise<string> {
  const text = await readFile(page, "utf8");
  const block = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/webhooks.md has no block of ${language}`);
  return block;
}

const programs = {
  ts: {
    command: process.execPath,
    file: "verify.ts",
    ending: `
      const all = JSON.parse(process.argv[2]);
      console.log(JSON.stringify(all.map(([headers, body, secret]) => isFromDari(headers, body, secret))));`,
  },
  python: {
    command: "python3",
    file: "verify.py",
    ending: `
import json, sys
print(json.dumps([is_from_dari(headers, body.encode(), secret) for headers, body, secret in json.loads(sys.argv[1])]))`,
  },
};

/** A delivery as it arrives: its headers, its body, and the receiver's secret. */
function deliver(options: { at?: number; secrets?: (own: string) => string[] } = {}) {
  const secret = createWebhookSecret();
  const [id, timestamp] = ["evt_1", options.at ?? Math.floor(Date.now() / 1_000)];
  const body = '{"type":"webhook.test","data":{"name":"Zoë"}}';
  const signature = signDelivery({ id, timestamp, body }, options.secrets?.(secret) ?? [secret]);
  const headers = { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signature };
  return [headers, body, secret] as const;
}

test.each(["ts", "python"] as const)(
  "the block of %s",
  async (language) => {
    const { command, file, ending } = programs[language];
    await writeFile(join(dir, file), (await blockOf(language)) + ending);
    const flags = language === "ts" ? ["--disable-warning=ExperimentalWarning"] : [];
    const [headers, body, secret] = deliver();
    const cases: [expected: boolean, delivered: readonly [object, string, string]][] = [
      [true, deliver()],
      // During a rotation.
      [true, deliver({ secrets: (own) => [createWebhookSecret(), own] })],
      [false, [headers, `${body} `, secret]],
      [false, [{ ...headers, "webhook-id": "evt_2" }, body, secret]],
      [false, [headers, body, createWebhookSecret()]],
      [false, [{ "webhook-id": "evt_1" }, body, secret]],
      [false, [{ ...headers, "webhook-signature": "v2,x  v1" }, body, secret]],
      [false, deliver({ at: Math.floor(Date.now() / 1_000) - 600 })],
    ];
    const input = JSON.stringify(cases.map(([, delivered]) => delivered));
    const { stdout } = await promisify(execFile)(command, [...flags, join(dir, file), input]);
    expect(JSON.parse(stdout)).toEqual(cases.map(([expected]) => expected));
  },
  30_000,
);
