// `dari auth`: signing in with the browser, what is saved, and signing out.

import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import { runDari, temporaryTree, type Run } from "./run-dari.ts";

interface Seen {
  readonly call: string;
  readonly body: unknown;
  readonly key: string | undefined;
}

interface Platform extends AsyncDisposable {
  readonly url: string;
  readonly seen: Seen[];
}

/** Answers each call with its replies in turn; repeats the last one. */
async function startPlatform(answers: Readonly<Record<string, readonly [number, unknown][]>>): Promise<Platform> {
  const seen: Seen[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = `${request.method} ${request.url}`;
    const sent = await text(request);
    const earlier = seen.filter((one) => one.call === call).length;
    seen.push({ call, body: sent === "" ? undefined : JSON.parse(sent), key: request.headers.authorization });
    const all = answers[call] ?? [[404, { detail: call, code: "not_found" }]];
    const [status, body] = all[Math.min(earlier, all.length - 1)]!;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const started = {
  device_code: "ddev_1",
  user_code: "WDJB-MJHT",
  verification_uri: "http://dari.example/device",
  verification_uri_complete: "http://dari.example/device?code=WDJB-MJHT",
  expires_in: 600,
  interval: 0,
};
const polled = (status: string, more: object = {}): [number, unknown] => [200, { status, interval: 0, ...more }];
const approved = polled("approved", { api_key: "dari_k", organization_id: "org_1", member_id: "mem_1" });

function login(url: string, cwd: string, ...more: string[]): Promise<Run> {
  return runDari(["auth", "login", "--api-url", url, "--device-name", "laptop", ...more], { cwd });
}

describe("dari auth login", () => {
  test("shows where to go, waits for the person, and saves the key for its owner only", async () => {
    await using platform = await startPlatform({
      "POST /v1/auth/device": [[200, started]],
      "POST /v1/auth/device/token": [
        polled("authorization_pending"),
        [503, { detail: "away", code: "unavailable" }],
        polled("slow_down"),
        approved,
      ],
    });
    await using home = await temporaryTree({});
    const run = await login(platform.url, home.path);
    expect([run.code, run.stderr]).toEqual([
      0,
      "Open http://dari.example/device?code=WDJB-MJHT\nApprove the sign-in if the page shows this code: WDJB-MJHT\n",
    ]);
    expect(run.stdout).toMatch(/^Signed in to http:.* \(org_1\); saved in /);
    expect(run.stdout).not.toContain("dari_k");
    expect(platform.seen.map(({ call, body }) => [call, body])).toEqual([
      ["POST /v1/auth/device", { device_name: "laptop" }],
      ...Array.from({ length: 4 }, () => ["POST /v1/auth/device/token", { device_code: "ddev_1" }]),
    ]);
    const path = join(home.path, ".config", "dari", "connection.json");
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ api_url: platform.url, api_key: "dari_k" });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["access_denied", "the sign-in was denied"],
    ["expired_token", "the sign-in was not approved in time; run the command again"],
  ])("ends with the answer %s", async (status, says) => {
    await using platform = await startPlatform({
      "POST /v1/auth/device": [[200, started]],
      "POST /v1/auth/device/token": [polled(status)],
    });
    await using home = await temporaryTree({});
    const run = await login(platform.url, home.path);
    expect([run.code, run.stdout]).toEqual([3, ""]);
    expect(run.stderr).toContain(`dari: ${says}\n`);
  });

  test("reports that the platform lets no device wait", async () => {
    await using platform = await startPlatform({
      "POST /v1/auth/device": [[429, { detail: "too many command-line sign-ins wait", code: "limit_exceeded" }]],
    });
    await using home = await temporaryTree({});
    const run = await login(platform.url, home.path, "--json");
    expect([run.code, JSON.parse(run.stderr)]).toEqual([
      7,
      { detail: "too many command-line sign-ins wait", code: "limit_exceeded" },
    ]);
  });
});

const me = {
  method: "key",
  scopes: ["run", "read"],
  organization: { id: "org_1", name: "Ours" },
  member: { id: "mem_1", email: "ann@people.example", role: "member" },
};

test("dari auth status shows who is signed in and where", async () => {
  await using platform = await startPlatform({
    "GET /v1/me": [
      [200, me],
      [200, { ...me, member: null }],
    ],
  });
  await using home = await temporaryTree({});
  const options = { cwd: home.path, environment: { DARI_API_URL: platform.url, DARI_API_KEY: "dari_k" } };
  const person = await runDari(["auth", "status"], options);
  expect([person.code, person.stdout]).toEqual([
    0,
    `${platform.url}\nOurs (org_1)\nann@people.example (member)\nscopes: run, read\n`,
  ]);
  expect((await runDari(["auth", "status"], options)).stdout).toContain("\nsigned in with a key of the organization\n");
});

test.each([
  ["a person's key", [200, { signed_out: true }], true],
  ["an organization's key", [409, { detail: "own", code: "conflict" }], false],
  ["a key that has ended", [401, { detail: "Missing or invalid API key", code: "unauthenticated" }], false],
] as const)("dari auth logout ends %s if it can, and deletes it", async (_what, [status, body], ended) => {
  await using platform = await startPlatform({ "DELETE /v1/me/sign-in": [[status, body]] });
  const saved = JSON.stringify({ api_url: platform.url, api_key: "dari_k" });
  await using home = await temporaryTree({ ".config/dari/connection.json": saved });
  const run = await runDari(["auth", "logout", "--json"], { cwd: home.path });
  const path = join(home.path, ".config", "dari", "connection.json");
  expect([run.code, JSON.parse(run.stdout)]).toEqual([0, { api_url: platform.url, ended, path }]);
  expect(platform.seen).toEqual([{ call: "DELETE /v1/me/sign-in", body: undefined, key: "Bearer dari_k" }]);
  await expect(stat(path)).rejects.toThrow(/ENOENT/);
});

test("a sign-in comes first, then the platform of install.sh, then the platform of this directory", async () => {
  await using platform = await startPlatform({ "GET /v1/me": [[200, me]] });
  const connection = (key: string): string => JSON.stringify({ api_url: platform.url, api_key: key });
  await using root = await temporaryTree({
    "platform/connection.json": connection("dari_installed"),
    "home/.dari-data/connection.json": connection("dari_here"),
  });
  const home = join(root.path, "home");
  const config = join(home, ".config", "dari");
  await mkdir(config, { recursive: true });
  const remember = (more: object): Promise<void> =>
    writeFile(join(config, "platform.json"), JSON.stringify({ api_url: platform.url, ...more }));
  const status = () => runDari(["auth", "status"], { cwd: home });
  const file = join(root.path, "platform", "connection.json");
  await remember({ connection_file: file });
  await status();
  await remember({});
  await status();
  await rm(join(home, ".dari-data"), { recursive: true });
  expect((await status()).stdout).toContain(platform.url);
  await remember({ connection_file: file });
  await writeFile(join(config, "connection.json"), connection("dari_signed_in"));
  await status();
  const keys = platform.seen.map(({ key }) => key);
  expect(keys).toEqual(["Bearer dari_installed", "Bearer dari_here", undefined, "Bearer dari_signed_in"]);
});
