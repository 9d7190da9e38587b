// Where a message's time went, as phases in their order. Draws nothing.

import type { MessageRecord } from "@dari/contract";

export interface Phase {
  readonly name: string;
  readonly label: string;
  readonly ms: number;
}

const labels: Readonly<Record<string, string>> = {
  queue_ms: "waited in the queue",
  image_ms: "fetched the agent's image",
  restore_ms: "restored the workspace",
  claim_ms: "got a sandbox",
  start_ms: "started the agent",
  agent_ms: "agent ran",
  kill_ms: "stopped the sandbox",
  save_ms: "saved the workspace",
};

/** The phases that the platform measured, in the order of a turn; those it does not name here come last. */
export function phasesOf(timings: MessageRecord["timings"]): Phase[] {
  const order = Object.keys(labels);
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(timings)
    .filter(([name]) => name.endsWith("_ms"))
    .map(([name, ms]) => ({ name, label: labels[name] ?? name.replace(/_ms$/, "").replaceAll("_", " "), ms }))
    .sort((a, b) => rank(a.name) - rank(b.name));
}

const waits: Readonly<Record<NonNullable<MessageRecord["waiting_reason"]>, string>> = {
  build: "its version is being built",
  budget: "its organization has spent its budget",
  paused: "its organization is paused",
  input: "the agent asked for input",
  retry: "the next attempt is not due yet",
};

/** Why a message is not running; undefined when it waits for nothing but a free slot, or has ended. */
export function waitText(record: MessageRecord): string | undefined {
  if (record.waiting_reason !== null) return waits[record.waiting_reason];
  return record.status === "queued" ? "for the turn before it, or a free slot" : undefined;
}
