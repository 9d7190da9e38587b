// Tests requests by the exact problems that a caller gets.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import type { TSchema } from "typebox";
import { pathSchema, routes } from "./routes.ts";
import { CreateAgentRequest, sourceSnapshotIdOf } from "./schemas/agents.ts";
import { SendMessageRequest } from "./schemas/messages.ts";
import { CreateInvitationRequest } from "./schemas/members.ts";
import { CreateApiKeyRequest } from "./schemas/organizations.ts";
import { CreateSessionRequest } from "./schemas/sessions.ts";
import { CreateSourceSnapshotRequest } from "./schemas/source-snapshots.ts";
import { findFirstIssue, validate } from "./validate-value.ts";

const text = { type: "text", text: "hello" };
const tooManyBytes = "é".repeat(limits.messageTextBytes / 2 + 1);
const oneOfParts = "expected one of 'text', 'file', 'image'";
const oneBundle = "expected either source_snapshot_id or source";

type Row = [title: string, schema: TSchema, value: unknown, issues: string[]];

const rows: Row[] = [
  ["a message", SendMessageRequest, { parts: [text] }, []],
  [
    "a message with everything",
    SendMessageRequest,
    {
      parts: [text, { type: "file", file_id: "file_1" }, { type: "image", file_id: "file_2" }],
      metadata: { a: "x", b: 1, c: true },
      delivery: "async",
      on_busy: "merge",
    },
    [],
  ],
  ["nothing", SendMessageRequest, undefined, ["body: expected an object"]],
  ["a list", SendMessageRequest, [], ["body: expected an object"]],
  ["no parts", SendMessageRequest, {}, ["parts: field is required"]],
  ["too few parts", SendMessageRequest, { parts: [] }, ["parts: expected at least 1 item"]],
  ["too many parts", SendMessageRequest, { parts: Array(65).fill(text) }, ["parts: expected at most 64 items"]],
  ["an unknown field", SendMessageRequest, { parts: [text], x: 1 }, ["x: unsupported field"]],
  [
    "a mixed-up id",
    SendMessageRequest,
    { parts: [{ type: "file", file_id: "msg_1" }] },
    ["parts[0].file_id: expected an id that starts with 'file_'"],
  ],
  ["an unknown part", SendMessageRequest, { parts: [text, { type: "video" }] }, [`parts[1].type: ${oneOfParts}`]],
  ["a part without a type", SendMessageRequest, { parts: [{ text: "a" }] }, ["parts[0].type: field is required"]],
  [
    "a part of the wrong branch",
    SendMessageRequest,
    { parts: [{ type: "image", text: "a" }] },
    ["parts[0].file_id: field is required", "parts[0].text: unsupported field"],
  ],
  [
    "a text that is none",
    SendMessageRequest,
    { parts: [{ type: "text", text: 1 }] },
    ["parts[0].text: expected a string"],
  ],
  [
    "a text too long in bytes",
    SendMessageRequest,
    { parts: [{ type: "text", text: tooManyBytes }] },
    [`parts[0].text: expected at most ${limits.messageTextBytes} bytes`],
  ],
  [
    "nested metadata",
    SendMessageRequest,
    { parts: [text], metadata: { a: {} } },
    ["metadata.a: expected a string, a number or true or false"],
  ],
  [
    "a word that is none",
    SendMessageRequest,
    { parts: [text], delivery: "later" },
    ["delivery: expected one of 'sync', 'async', 'stream'"],
  ],
  ["NUL", SendMessageRequest, { parts: [{ type: "text", text: "a\0b" }] }, ["parts[0].text: must not contain NUL"]],
  [
    "half a surrogate pair",
    SendMessageRequest,
    { parts: [text], metadata: { a: "\ud800" } },
    ["metadata.a: must be well-formed Unicode"],
  ],
  [
    "NUL in a name",
    SendMessageRequest,
    { parts: [text], metadata: { "a\0": "x" } },
    ["metadata: a name has NUL or broken Unicode"],
  ],
  ["an agent by its bundle", CreateAgentRequest, { source_snapshot_id: "src_1", manifest: { any: ["thing"] } }, []],
  ["an agent by its source", CreateAgentRequest, { source: { type: "upload", source_snapshot_id: "src_1" } }, []],
  ["an agent by nothing", CreateAgentRequest, {}, [`body: ${oneBundle}`]],
  [
    "an agent by both",
    CreateAgentRequest,
    {
      source_snapshot_id: "src_1",
      source: { type: "upload", source_snapshot_id: "src_1" },
    },
    [`body: ${oneBundle}`],
  ],
  [
    "a bundle",
    CreateSourceSnapshotRequest,
    {
      format: "tar.gz",
      sha256: "0".repeat(64),
      size_bytes: 1,
      metadata: { origin: "ci", git_dirty: false },
    },
    [],
  ],
  [
    "a bundle, all wrong",
    CreateSourceSnapshotRequest,
    {
      format: "zip",
      sha256: "A",
      size_bytes: 0,
      metadata: { a: 1 },
    },
    [
      "format: expected 'tar.gz'",
      "sha256: expected a SHA-256 checksum: 64 lower-case hexadecimal characters",
      "size_bytes: expected at least 1",
      "metadata.a: expected a string or true or false",
    ],
  ],
  [
    "a bundle too large",
    CreateSourceSnapshotRequest,
    {
      format: "tar.gz",
      sha256: "0".repeat(64),
      size_bytes: limits.bundleBytes + 1,
    },
    [`size_bytes: expected at most ${limits.bundleBytes}`],
  ],
  ["an empty session", CreateSessionRequest, {}, []],
  [
    "a session, all wrong",
    CreateSessionRequest,
    { name: " ", version_id: "sess_1", secrets: { a: "1", B: 2 } },
    [
      "name: expected a non-empty string",
      "version_id: expected an id that starts with 'ver_'",
      "secrets.a: expected a name matching ^[A-Z_][A-Z0-9_]*$",
      "secrets.B: expected a string",
    ],
  ],
  [
    "a key, all wrong",
    CreateApiKeyRequest,
    { label: 1, scopes: ["root"], expires_at: "tomorrow" },
    [
      "label: expected a string",
      "scopes[0]: expected one of 'admin', 'deploy', 'run', 'read'",
      "expires_at: expected an RFC 3339 time",
    ],
  ],
  [
    "an invitation, all wrong",
    CreateInvitationRequest,
    { email: "x", role: "king" },
    ["email: expected an e-mail address", "role: expected one of 'owner', 'admin', 'member'"],
  ],
  ["a page", routes.listAgents.query, { limit: "500", after: "agt_1" }, []],
  ["a page too large", routes.listAgents.query, { limit: "501" }, ["limit: expected an integer from 1 to 500"]],
  ["a page of words", routes.listAgents.query, { limit: "many" }, ["limit: expected an integer from 1 to 500"]],
  ["a page given twice", routes.listAgents.query, { limit: ["1", "2"] }, ["limit: expected a string"]],
  ["a path", pathSchema(routes.getVersion), { agent_id: "dep_1", version_id: "ver_1" }, []],
  [
    "a mixed-up path",
    pathSchema(routes.getVersion),
    { agent_id: "x".repeat(201), version_id: "agt_1" },
    ["agent_id: expected at most 200 characters", "version_id: expected an id that starts with 'ver_'"],
  ],
  ["the current organization", pathSchema(routes.listMembers), { organization_id: "current" }, []],
];

describe("validate", () => {
  test.each(rows)("%s", (_title, schema, value, issues) => {
    const found = validate(schema, value).map(({ path, message }) => `${path}: ${message}`);
    expect(found.sort()).toEqual([...issues].sort());
  });

  test("lists at most 100 problems", () => {
    const parts = Array.from({ length: 64 }, () => ({ type: "text", a: 1, b: 2, c: 3 }));
    expect(validate(SendMessageRequest, { parts })).toHaveLength(100);
  });

  test("lists one problem of a body with more than 10,000 values", () => {
    const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`k${index}`, "\0"]));
    expect(validate(SendMessageRequest, many)).toHaveLength(1);
    expect(validate(SendMessageRequest, { parts: [text], metadata: many })).toHaveLength(1);
    const few = Object.fromEntries(Object.entries(many).slice(0, 9_000));
    expect(validate(SendMessageRequest, few)).toHaveLength(100);
  });

  test("finds a first problem of every invalid value of the table", () => {
    const invalid = rows.filter(([, , , issues]) => issues.length > 0);
    const missed = invalid.filter(([, schema, value]) => findFirstIssue(schema, value) === undefined);
    expect(missed.map(([title]) => title)).toEqual([]);
  });

  test("a very deep body is read without exhausting the stack", () => {
    const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const deep: unknown = JSON.parse(`{"source_snapshot_id":"src_1","manifest":{"a":${nested}}}`);
    expect(validate(CreateAgentRequest, deep)).toEqual([]);
  });

  test("a validated request names one bundle", () => {
    expect(sourceSnapshotIdOf({ source_snapshot_id: "src_1" })).toBe("src_1");
    expect(sourceSnapshotIdOf({ source: { type: "upload", source_snapshot_id: "src_2" } })).toBe("src_2");
    expect(() => sourceSnapshotIdOf({})).toThrow(TypeError);
  });
});
