// The gate of a replay that may ask no model, and turns that cannot have one.

import type { Turn } from "@dari/control/turns";
import { expect, test } from "@jest/globals";
import { refuseModelRequests } from "../src/turn/model-limits/refuse-model-requests.ts";
import { refuseTurn } from "../src/turn/steps/refuse-turn.ts";

const unknown = { tokensMax: null, inputMax: null, model: null };
const request = { host: "api.openai.com", format: "openai-chat", ...unknown } as const;
const { signal } = new AbortController();

test("the first request is refused for good, and ends the turn once its refusal was sent", async () => {
  const gate = refuseModelRequests("msg_1");
  expect([gate.reached, gate.readsBody, gate.code]).toEqual([undefined, false, "replay_diverged"]);
  let ends = 0;
  const stop = gate.onReached(() => (ends += 1));
  const refused = await gate.admit(request, signal);
  expect(refused).toMatchObject({ isAdmitted: false, isTemporary: false });
  expect(gate.reached).toContain("no recorded answer of msg_1 fits a request to api.openai.com");
  expect(ends).toBe(0);
  if (!refused.isAdmitted) refused.onRefused?.();
  expect(ends).toBe(1);
  stop();
  gate.onReached(() => (ends += 1));
  expect(ends).toBe(2);
});

test("what comes after the end of the turn is refused without a reason to fail", async () => {
  const gate = refuseModelRequests("msg_1");
  gate.close();
  expect(await gate.admit(request, signal)).toMatchObject({ isAdmitted: false, isTemporary: true });
  expect(gate.reached).toBeUndefined();
});

test("a replay needs answers and, if it may ask no model, a credential that is kept for one", () => {
  const worker = { driver: { name: "bwrap" }, guarantees: { network: "enforced" } } as never;
  const kept = (hosts: string[]) => [{ name: "KEY", hosts, placeholder: "p" }];
  const turn = (keptSecrets: object[], asksModels: boolean, answers: object[] = [{}], more: object = {}) =>
    ({
      ...{ missingSecrets: [], secretBytes: 0, cancelRequested: false, keptSecrets, manifest: {}, ...more },
      replay: { of: "msg_1", asksModels, answers },
    }) as unknown as Turn;
  expect(refuseTurn(worker, turn([], false))).toMatchObject({ failure: { code: "replay_diverged" } });
  expect(refuseTurn(worker, turn(kept(["db.example.com"]), false))).toMatchObject({ ending: "failed" });
  expect(refuseTurn(worker, turn(kept(["api.openai.com"]), false))).toBeUndefined();
  expect(refuseTurn(worker, turn([], true))).toBeUndefined();
  const declared = { manifest: { models: [{ host: "10.0.0.5:8000", scheme: "http", format: "openai-chat" }] } };
  expect(refuseTurn(worker, turn([], false, [{}], declared))).toBeUndefined();
  const forbidden = refuseTurn(worker, turn([], true, [{}], { answerRecording: "never" }));
  expect(forbidden).toMatchObject({ failure: { message: expect.stringContaining("answer-recording is `never`") } });
  // Its recording has expired since it was sent, so all of it would be live.
  const expired = refuseTurn(worker, turn(kept(["api.openai.com"]), true, []));
  expect(expired).toMatchObject({ failure: { message: expect.stringContaining("the answers of msg_1 have expired") } });
});
