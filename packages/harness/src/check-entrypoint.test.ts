// What an agent's author reads if the entrypoint cannot be checked.

import { expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { duplexPair } from "node:stream";
import { checkEntrypoint, type EntrypointCheckResult } from "./check-entrypoint.ts";

/** Checks an entrypoint whose guest sends `text`. */
async function checkAfter(text: string, timeoutMs = 60_000): Promise<EntrypointCheckResult> {
  const [channel, guest] = duplexPair();
  guest.write(text);
  try {
    return await checkEntrypoint({
      channel,
      exited: new Promise(() => {}),
      entry: { file: "agent.mjs", export: "agent" },
      imageDir: "/agent",
      workspace: "/workspace",
      sdk: "pi",
      timeoutMs,
    });
  } finally {
    channel.destroy();
  }
}

test("a frame over the limit fails as it does in a turn", async () => {
  const result = await checkAfter("x".repeat(limits.harnessFrameBytes + 1));
  expect(result).toMatchObject({ ok: false, failure: { code: "output_too_large" } });
});

test("a broken frame is the agent's error", async () => {
  expect(await checkAfter("x\n")).toMatchObject({ ok: false, failure: { code: "agent_error" } });
});

test("an entrypoint that loads for too long gets an error that says what to move", async () => {
  const message =
    "the entrypoint was not loaded within 0.01 seconds; " +
    "move slow work from the module's top level into the agent's function";
  expect(await checkAfter("", 10)).toEqual({ ok: false, failure: { code: "agent_error", message } });
});
