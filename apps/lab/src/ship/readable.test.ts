// Tests that what reads differently after an upgrade is found, and that additional fields are allowed.

import { expect, test } from "@jest/globals";
import { differences } from "./readable-sessions.ts";

const before = { session: { id: "sess_1", status: "idle" }, messages: [{ id: "msg_1", output: null }], files: {} };

test("equal or additional content is not a difference", () => {
  expect(differences(before, structuredClone(before))).toEqual([]);
  const more = { ...before, session: { ...before.session, pool: "default" } };
  expect(differences(before, more)).toEqual([]);
});

test.each([
  ["another value", { ...before, session: { id: "sess_1", status: "active" } }, "/session/status"],
  ["a field that is missing", { ...before, session: { id: "sess_1" } }, "/session/status"],
  ["a message more", { ...before, messages: [...before.messages, { id: "msg_2" }] }, "/messages"],
  ["a message less", { ...before, messages: [] }, "/messages"],
  ["a value for null", { ...before, messages: [{ id: "msg_1", output: {} }] }, "/messages/0/output"],
])("%s is named with its path", (_what, after, place) => {
  expect(differences(before, after)).toEqual([expect.stringContaining(place)]);
});
