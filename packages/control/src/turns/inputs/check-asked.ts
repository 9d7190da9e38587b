// Whether what an agent asks for in the middle of its turn may be asked. Agents are strangers' code.

import { inputSchemaProblem } from "@dari/contract";
import { failure, limits, type Failure, type Scrubber } from "@dari/domain";
import type { TurnResume } from "@dari/db";

export interface Asked {
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Why the attempt fails instead of waiting; undefined where it may wait. */
export function refuseAsked(
  turn: { readonly resume: TurnResume | undefined; readonly scrubber: Scrubber },
  { key, schema }: Asked,
): Failure | undefined {
  const answers = turn.resume?.answers ?? {};
  // Only a guest that is not ours asks for what it was given.
  if (Object.hasOwn(answers, key)) return refused(`"${key}" is answered already`);
  if (Object.keys(answers).length >= limits.inputsPerMessage) {
    return refused(`a message asks for at most ${limits.inputsPerMessage} inputs`);
  }
  // What is shown in its place would be another key.
  if (turn.scrubber.text(key) !== key) return refused("the key holds the value of a secret");
  // Check the stored form: tags instead of secrets can make the schema invalid, and then no answer would match.
  const problem = inputSchemaProblem(turn.scrubber.json(schema) as Asked["schema"]);
  return problem === undefined ? undefined : refused(problem);
}

function refused(message: string): Failure {
  return failure("agent_error", `requestInput: ${message}`);
}
