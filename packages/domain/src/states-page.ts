// The state machines as a page for people, generated from the code.

import type { Machine } from "./machine.ts";
import { terminalStates } from "./machine.ts";
import {
  inputMachine,
  messageMachine,
  scheduleMachine,
  sessionMachine,
  sourceSnapshotMachine,
  versionMachine,
  webhookDeliveryMachine,
} from "./states.ts";

/** Mermaid drawings of every machine, as Markdown. */
export function renderStatesMarkdown(): string {
  return [
    "# States",
    "",
    "Generated from `packages/domain/src/states.ts`. An arrow is named by the verb that walks it.",
    ...section("Message", messageMachine),
    ...section("Input", inputMachine),
    ...section("Session schedule", scheduleMachine),
    ...section("Session", sessionMachine),
    ...section("Version", versionMachine),
    ...section("Source snapshot", sourceSnapshotMachine),
    ...section("Webhook delivery", webhookDeliveryMachine),
    "",
  ].join("\n");
}

function section<S extends string, E extends string>(title: string, machine: Machine<S, E>): string[] {
  const arrows = Object.entries<{ from: readonly S[]; to: S }>(machine.edges).flatMap(([verb, edge]) =>
    edge.from.map((from) => `  ${from} --> ${edge.to}: ${verb}`),
  );
  const ends = terminalStates(machine).map((state) => `  ${state} --> [*]`);
  return [
    "",
    `## ${title}`,
    "",
    "```mermaid",
    "stateDiagram-v2",
    `  [*] --> ${machine.initial}`,
    ...arrows,
    ...ends,
    "```",
  ];
}
