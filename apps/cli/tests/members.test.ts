// `dari org …` about people: what is sent, and what is printed to pass on.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { runDari, temporaryTree, type Run } from "./run-dari.ts";

const ann = {
  id: "mem_1",
  email: "ann@people.example",
  role: "member",
  last_signed_in_at: null,
  created_at: "2026-01-01T00:00:00.000Z",
};
const invitation = { id: "inv_1", email: "bob@people.example", role: "admin", expires_at: "2026-01-08T00:00:00.000Z" };
const people = "/v1/organizations/current/members";
const invited = "/v1/organizations/current/invitations";
const list = (rows: object[]): object => ({ data: rows, has_more: false, next: null });

const answers: Readonly<Record<string, object>> = {
  [`GET ${people}`]: list([ann]),
  [`PATCH ${people}/mem_1`]: { ...ann, role: "owner" },
  [`DELETE ${people}/mem_1`]: { deleted: true, id: "mem_1" },
  [`POST ${people}/mem_1/sign-in-link`]: {
    member_id: "mem_1",
    url: "http://dari.example/console/join#dlnk_x",
    expires_at: "2026-01-01T01:00:00.000Z",
  },
  [`GET ${invited}`]: list([invitation]),
  [`POST ${invited}`]: { ...invitation, url: "http://dari.example/console/join#dinv_x" },
  [`DELETE ${invited}/inv_1`]: { deleted: true, id: "inv_1" },
};

/** Runs the command against a platform with these answers. */
async function run(...args: string[]): Promise<Run & { readonly seen: (readonly [string, unknown])[] }> {
  const seen: (readonly [string, unknown])[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = `${request.method} ${request.url?.replace(/\?.*/, "")}`;
    const body = await text(request);
    seen.push([call, body === "" ? undefined : JSON.parse(body)]);
    const known = answers[call];
    const answer = known ?? { detail: call, code: "not_found" };
    response.writeHead(known === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using root = await temporaryTree({});
  try {
    const environment = { DARI_API_URL: url, DARI_API_KEY: "dari_test" };
    return { ...(await runDari(["org", ...args], { cwd: root.path, environment })), seen };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("invite prints the link alone, so that it can be piped", async () => {
  const { code, stdout, stderr, seen } = await run("invite", "bob@people.example", "--role", "admin");
  expect([code, stdout]).toEqual([0, "http://dari.example/console/join#dinv_x\n"]);
  expect(stderr).toMatch(/^Invited bob@people\.example as admin\. The link can be used once, until 2026-01-08/);
  expect(seen).toEqual([[`POST ${invited}`, { email: "bob@people.example", role: "admin" }]]);
  expect((await run("invite", "bob@people.example", "--role", "root")).code).toBe(2);
});

test("invitations are listed and revoked", async () => {
  expect((await run("invitations")).stdout).toMatch(/^INVITATION .*\ninv_1 +bob@people\.example +admin +2026-01-08/);
  expect((await run("revoke-invitation", "inv_1")).stdout).toBe("revoked inv_1\n");
});

test("members are listed, and named by e-mail or id", async () => {
  expect((await run("members")).stdout).toMatch(/^MEMBER .*\nmem_1 +ann@people\.example +member +2026-01-01/);
  const raised = await run("set-role", "Ann@people.example", "owner");
  expect([raised.stdout, raised.seen[1]]).toEqual([
    "ann@people.example is owner\n",
    [`PATCH ${people}/mem_1`, { role: "owner" }],
  ]);
  expect((await run("remove", "mem_1")).stdout).toBe("removed ann@people.example\n");
  const link = await run("sign-in-link", "ann@people.example");
  expect(link.stdout).toBe("http://dari.example/console/join#dlnk_x\n");
  expect(link.stderr).toMatch(/^Anyone who has this link can sign in as ann@people\.example, once, until 2026-.*:\n$/);
  const nobody = await run("remove", "zoe@people.example");
  expect([nobody.code, nobody.stderr]).toEqual([
    2,
    "dari: there is no member zoe@people.example; `dari org members` lists the members\n",
  ]);
});
