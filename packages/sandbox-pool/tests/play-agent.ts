// Runs one turn of a Node agent in a sandbox of its own.

import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { guestCommand, runTurn, type TurnEnding } from "@dari/harness";
import type { SandboxDriver } from "@dari/sandbox";
import { turnContext } from "./turn-context.ts";

export interface Play {
  readonly exportName: string;
  /** Default: `agent.mjs`. */
  readonly file?: string;
  readonly interpreter?: string;
  readonly sdk?: string;
  readonly nodeScript?: string | undefined;
  readonly memoryBytes?: number;
}

/** `root`: where the slot is made. */
export async function playAgent(
  driver: SandboxDriver,
  { root, imageDir }: { readonly root: string; readonly imageDir: string },
  { exportName, file = "agent.mjs", interpreter = process.execPath, sdk = "function", ...o }: Play,
): Promise<TurnEnding> {
  const { nodeScript, memoryBytes } = o;
  const slotDir = mkdtempSync(join(root, "slot-"));
  for (const name of ["workspace", "state"]) mkdirSync(join(slotDir, name));
  const { reservedBytes, ...command } = guestCommand("typescript", interpreter, {
    entryFile: file,
    nodeScript,
    memoryBytes,
  });
  const policy = { mode: "allow" as const, rules: [] };
  const sandbox = await driver.prepare({
    ...command,
    env: {},
    imageDir,
    slotDir,
    network: { policy, onConnection: () => undefined },
    limits: memoryBytes === undefined ? {} : { memoryBytes, reservedBytes },
  });
  sandbox.stdout.resume();
  const stderr = text(sandbox.stderr);
  try {
    return await runTurn({
      channel: sandbox.channel,
      exited: sandbox.exited,
      request: {
        entry: { file, export: exportName },
        imageDir: sandbox.paths.image,
        workspace: sandbox.paths.workspace,
        sdk,
        prompt: "hi",
        context: turnContext,
      },
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame: () => undefined,
      stderrTail: () => stderr,
    });
  } finally {
    await sandbox.kill();
  }
}

/** @throws if the turn failed. */
export function textOf(ending: TurnEnding): string {
  if (ending.kind !== "completed") throw new Error(JSON.stringify(ending));
  return ending.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}
