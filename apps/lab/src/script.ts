// Talks to the agent of tests/agents/script, whose prompt is a script of steps and whose answer contains their results.

import { join } from "node:path";
import type { MessageRecord } from "@dari/contract";
import type { BundleFiles } from "./bundle.ts";
import { filesOf, manifestFile, post, send, textOf, textPart, type Platform } from "./conversation.ts";
import { checkout } from "./program.ts";

/** A verb of the agent and its arguments. */
export type Step = readonly [verb: string, ...args: unknown[]];

export interface ScriptManifest {
  readonly language?: "typescript" | "python";
  readonly timeout_seconds?: number;
  readonly max_attempts?: number;
  readonly on_worker_lost?: boolean;
  readonly version?: string;
  readonly secrets?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const scripts = {
  typescript: { folder: "script", entrypoint: "src/agent.mjs:agent" },
  python: { folder: "script-python", entrypoint: "agent.py:agent" },
} as const;

export function scriptAgent(manifest: ScriptManifest = {}): BundleFiles {
  const { language = "typescript", timeout_seconds = 60, version, secrets = [], env = {} } = manifest;
  const { max_attempts = 1, on_worker_lost = true } = manifest;
  const { folder, entrypoint } = scripts[language];
  return {
    ...filesOf(join(checkout, "apps/lab/tests/agents", folder)),
    ...manifestFile({
      entrypoint,
      runtime: { language, timeout_seconds, ...(version === undefined ? {} : { version }) },
      retries: { max_attempts, on_worker_lost },
      secrets,
      env,
    }),
  };
}

/** Plays the steps in a turn and returns its record, whatever its end. */
export function playScript(
  platform: Platform,
  sessionId: string,
  steps: readonly Step[],
  fileIds: readonly string[] = [],
): Promise<MessageRecord> {
  const files = fileIds.map((file_id) => ({ type: "file", file_id }) as const);
  return send(platform, sessionId, { parts: [textPart(JSON.stringify(steps)), ...files] });
}

/** Plays the steps in a turn without waiting for it. */
export function start(platform: Platform, sessionId: string, steps: readonly Step[]): Promise<MessageRecord> {
  return post(platform, sessionId, JSON.stringify(steps));
}

/** Returns the results of a completed turn's steps, null for steps without one. Throws if it did not complete. */
export function resultsOf(record: MessageRecord): unknown[] {
  return JSON.parse(textOf(record)) as unknown[];
}
