// Turns that end before their agent is started: credentials that are missing, too large, or cannot be kept secret here.

import type { Turn } from "@dari/control/turns";
import type { FinishInput } from "@dari/db";
import { failure, limits } from "@dari/domain";
import type { WorkerContext } from "../context.ts";

/** Returns how the turn ends, or undefined if it can run. */
export function refuseTurn(
  { driver, guarantees }: Pick<WorkerContext, "driver" | "guarantees">,
  turn: Turn,
): FinishInput | undefined {
  const { missingSecrets, secretBytes, keptSecrets, cancelRequested } = turn;
  if (missingSecrets.length > 0) {
    return refuse(`no value for ${missingSecrets.join(", ")}; add it with \`dari credentials add <name>\``);
  }
  if (secretBytes > limits.turnSecretBytes) {
    const reason = `the secrets of a turn have at most ${limits.turnSecretBytes} bytes together, not ${secretBytes}`;
    return refuse(`${reason}; give large ones as files`);
  }
  // Only the proxy inserts the values, and agents without their own network bypass it.
  if (keptSecrets.length > 0 && guarantees.network !== "enforced") {
    const names = keptSecrets.map(({ name }) => name).join(", ");
    const needed = "a sandbox with its own network";
    const reason = `${names}: kept for single hosts, which needs ${needed}, not ${driver.name}`;
    return refuse(`${reason}; or give agents the value (--no-hosts)`);
  }
  const keptHosts = new Set(keptSecrets.flatMap(({ hosts }) => hosts)).size;
  if (keptHosts > limits.turnKeptHostsMax) {
    const most = `at most ${limits.turnKeptHostsMax} hosts together, not ${keptHosts}`;
    return refuse(`the kept credentials of a turn have ${most}; name those below one as *.example.com`);
  }
  return cancelRequested ? { ending: "cancelled" } : undefined;
}

function refuse(message: string): FinishInput {
  return { ending: "failed", failure: failure("missing_secret", message) };
}
