// Checks what an agent asks for during its turn. Agents are untrusted.

import { findInputSchemaProblem } from "@dari/contract";
import { failure, limits, type Failure, type Scrubber } from "@dari/domain";
import type { TurnResume } from "@dari/db";

export interface AskedInput {
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Returns why the attempt fails instead of waiting, or undefined if it may wait. */
export function checkAskedInput(
  turn: { readonly resume: TurnResume | undefined; readonly scrubber: Scrubber },
  { key, schema }: AskedInput,
): Failure | undefined {
  const answers = turn.resume?.answers ?? {};
  // Our guest does not ask for an answered key, so this guest was replaced by the agent.
  if (Object.hasOwn(answers, key)) return refused(`"${key}" is answered already`);
  if (Object.keys(answers).length >= limits.inputsPerMessage) {
    return refused(`a message asks for at most ${limits.inputsPerMessage} inputs`);
  }
  // Scrubbing would change the key.
  if (turn.scrubber.text(key) !== key) return refused("the key holds the value of a secret");
  // Check the scrubbed schema: tags instead of secrets can make it invalid, and then no answer would match.
  const problem = findInputSchemaProblem(turn.scrubber.json(schema) as AskedInput["schema"]);
  return problem === undefined ? undefined : refused(problem);
}

function refused(message: string): Failure {
  return failure("agent_error", `requestInput: ${message}`);
}
