// Ends turns before their agent is started: if credentials are missing or too large, if this worker cannot keep a
// credential out of the sandbox, or if a replay could cost what its sender does not expect.

import type { Turn } from "@dari/control/turns";
import type { FinishInput } from "@dari/db";
import { failure, limits } from "@dari/domain";
import type { WorkerContext } from "../../context.ts";
import { isMetered } from "../model-limits/limit-model-requests.ts";

/** Returns how the turn ends, or undefined if it can run. */
export function refuseTurn(context: Pick<WorkerContext, "driver" | "guarantees">, turn: Turn): FinishInput | undefined {
  const { driver, guarantees } = context;
  const { missingSecrets, secretBytes, keptSecrets, cancelRequested } = turn;
  if (missingSecrets.length > 0) {
    const add = missingSecrets.map((name) => `\`dari credentials add ${name}\``).join(", ");
    return refuse(`no value for ${missingSecrets.join(", ")}; add it with ${add}`);
  }
  if (secretBytes > limits.turnSecretBytes) {
    const reason = `the secrets of this turn have ${secretBytes} bytes; the limit is ${limits.turnSecretBytes} bytes`;
    return refuse(`${reason}; pass large values as files`);
  }
  // Only the proxy inserts the values, and without a network of its own an agent bypasses the proxy.
  if (keptSecrets.length > 0 && guarantees.network !== "enforced") {
    const names = keptSecrets.map(({ name }) => name).join(", ");
    const reason = `the driver ${driver.name} of this worker cannot keep ${names} out of the sandbox`;
    return refuse(`${reason}; use an isolating driver, or give agents the value (--no-hosts)`);
  }
  const keptHosts = new Set(keptSecrets.flatMap(({ hosts }) => hosts)).size;
  if (keptHosts > limits.turnKeptHostsMax) {
    const count = `the kept credentials of this turn have ${keptHosts} hosts together`;
    return refuse(`${count}; the limit is ${limits.turnKeptHostsMax} hosts; combine hosts as *.example.com`);
  }
  if (cancelRequested) return { ending: "cancelled" };
  const reason = refuseReplay(context, turn);
  return reason === undefined ? undefined : { ending: "failed", failure: failure("replay_diverged", reason) };
}

const forbidden = "the organization's setting answer-recording is `never`, so recorded answers are not used";

/** Returns why a replay could cost what its sender does not expect; undefined: it cannot. */
function refuseReplay(context: Pick<WorkerContext, "guarantees">, turn: Turn): string | undefined {
  const { replay } = turn;
  if (replay === undefined) return undefined;
  // A recording has at least one answer.
  if (replay.answers.length === 0) return `the answers of ${replay.of} have expired, or were deleted with its session`;
  if (turn.answerRecording === "never") return forbidden;
  if (replay.asksModels || isMetered(context, turn)) return undefined;
  const advice = "keep its credential for their host, or name the host in `models`";
  return `no requests of the agent to models are metered, so they cannot be refused; ${advice}`;
}

function refuse(message: string): FinishInput {
  return { ending: "failed", failure: failure("missing_secret", message) };
}
