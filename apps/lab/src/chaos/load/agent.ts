// The agent of chaos runs. It reports to a file outside the system what it does, and adds a line to its workspace: a
// lost turn is a missing line, a doubled one an extra line, a wrong order a different order of lines.

import { join } from "node:path";
import { filesOf } from "../../conversation.ts";
import { checkout } from "../../program.ts";

export type Task =
  | { readonly do: "work" }
  /** Fails while its attempt's number is this or lower. */
  | { readonly do: "fail"; readonly times: number }
  | { readonly do: "exit" }
  /** Waits for an answer before it does anything. Its client answers. */
  | { readonly do: "ask" }
  /** Uses memory until it is stopped. */
  | { readonly do: "hoard" }
  /** Leaves many processes that try to outlive it. */
  | { readonly do: "breed" };

/** The prompt of a message. */
export type Prompt = Task & { readonly key: string; readonly ms: number };

export interface Effect {
  readonly effect: "start" | "end";
  readonly key: string;
  readonly session: string;
  readonly message: string;
  readonly attempt: number;
  /** Identifies one call of the agent. */
  readonly call: string;
  /** Wall clock, in milliseconds. */
  readonly at: number;
}

/** The answer of a completed turn. */
export interface Answer {
  readonly key: string;
  readonly call: string;
  /** The calls of all completed turns of the session, in order, this one last. */
  readonly ledger: readonly string[];
}

export const agentMaxAttempts = 3;

/** Returns the agent in JavaScript, with access to this machine's files. */
export function chaosAgent(effectsFile: string): Record<string, string> {
  return agentOf("chaos", {
    entrypoint: "agent.mjs:agent",
    language: "typescript",
    env: { EFFECTS_FILE: effectsFile },
  });
}

/** Returns the agent in Python, so that it is loaded once and forked for each turn. */
export function isolatedChaosAgent(effectsUrl: string): Record<string, string> {
  return agentOf("chaos-python", {
    entrypoint: "agent.py:agent",
    language: "python",
    env: { EFFECTS_URL: effectsUrl },
  });
}

function agentOf(
  folder: string,
  { entrypoint, language, env }: { entrypoint: string; language: string; env: Record<string, string> },
): Record<string, string> {
  return {
    ...filesOf(join(checkout, "apps/lab/tests/agents", folder)),
    "dari.yml": JSON.stringify({
      name: "chaos",
      sdk: "opencode",
      entrypoint,
      runtime: { language, timeout_seconds: 60 },
      retries: { max_attempts: agentMaxAttempts },
      env,
    }),
  };
}
