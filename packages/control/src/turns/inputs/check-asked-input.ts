// Checks an input that an agent asks for during its turn, because agents are not trusted.

import { findInputSchemaProblem } from "@dari/contract";
import { failure, limits, type Failure, type Scrubber } from "@dari/domain";
import type { TurnResume } from "@dari/db";

export interface AskedInput {
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** The start of the keys with which the database asks for higher limits. */
const platformKeys = "dari:";

/** Returns why the attempt fails instead of waiting, or undefined if it may wait. */
export function checkAskedInput(
  turn: { readonly resume: TurnResume | undefined; readonly scrubber: Scrubber },
  { key, schema }: AskedInput,
): Failure | undefined {
  if (key.startsWith(platformKeys)) return refused(`keys that begin with "${platformKeys}" are the platform's`);
  const answers = turn.resume?.answers ?? {};
  // Our guest never asks for an answered key, so the agent has replaced the guest.
  if (Object.hasOwn(answers, key)) return refused(`"${key}" is answered already`);
  if (Object.keys(answers).length >= limits.inputsPerMessage) {
    return refused(`a message asks for at most ${limits.inputsPerMessage} inputs`);
  }
  // Removing the secret would change the key.
  if (turn.scrubber.text(key) !== key) return refused("the key contains the value of a secret; use another key");
  // Check the scrubbed schema: if secrets are replaced in it, it can be invalid, and then no answer would match.
  const problem = findInputSchemaProblem(turn.scrubber.json(schema) as AskedInput["schema"]);
  return problem === undefined ? undefined : refused(problem);
}

function refused(message: string): Failure {
  return failure("agent_error", `requestInput: ${message}`);
}
