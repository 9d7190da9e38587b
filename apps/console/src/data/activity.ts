// Computes what an agent did in a turn from the turn's events: model requests, tool calls with their results, nested
// subagents, failed attempts. Draws nothing.

import { isRunSuperseded, listRunNames } from "./run-usage.ts";
import type { Attempt, EventOf, Step, Turn } from "./transcript.ts";

/** `waiting`: for an answer. `unfinished`: its attempt ended before it did. */
export type WorkState = "running" | "waiting" | "done" | "failed" | "unfinished";

export interface Call {
  readonly kind: "call";
  readonly id: string;
  readonly callId: string;
  readonly attemptId: string | undefined;
  readonly name: string;
  readonly toolKind: EventOf<"tool.call_requested">["data"]["kind"] | undefined;
  readonly server: string | undefined;
  readonly agent: string | undefined;
  readonly state: WorkState;
  readonly arguments: unknown;
  /** Size of the whole value if the event has only its beginning. */
  readonly argumentsBytes: number | undefined;
  /** Id of the whole value, if it is kept. */
  readonly argumentsId: string | undefined;
  readonly result: unknown;
  /** What the tool threw, with its stack, if the model got something else. */
  readonly error: string | undefined;
  readonly resultBytes: number | undefined;
  readonly resultId: string | undefined;
  readonly durationMs: number | undefined;
  /** Name of the subagent that the call runs. */
  readonly subagent: string | undefined;
  /** What that subagent did. */
  readonly items: readonly Item[];
}

export interface Subagent {
  readonly kind: "subagent";
  readonly id: string;
  readonly name: string;
  readonly state: WorkState;
  readonly durationMs: number | undefined;
}

export interface ModelRequest {
  readonly kind: "request";
  readonly id: string;
  readonly state: WorkState;
  readonly data: Partial<EventOf<"model.request_completed">["data"]>;
}

export interface FailedAttempt {
  readonly kind: "attempt";
  readonly id: string;
  /** Its number, as in the API and the logs. */
  readonly name: string;
  readonly outcome: Attempt["outcome"];
  readonly error: Attempt["error"];
  readonly items: readonly Item[];
}

export interface Plan {
  readonly kind: "plan";
  readonly id: string;
  readonly todos: EventOf<"plan.updated">["data"]["items"];
  /** False if a later event of the turn replaces the list. */
  readonly isLatest: boolean;
}

/** An event that is shown as it is. */
export interface Told {
  readonly kind: "event";
  readonly id: string;
  readonly event: Exclude<Step, { readonly type: PairedType | "plan.updated" }>;
}

type PairedType =
  | "model.request_started"
  | "model.request_completed"
  | "tool.call_requested"
  | "tool.call_completed"
  | "subagent.started"
  | "subagent.completed";

export type Item = Call | Subagent | ModelRequest | FailedAttempt | Plan | Told;

/** How deeply subagents are shown inside each other. What is deeper is shown at this level. */
export const depthMax = 6;

type Growing<T> = { -readonly [Name in keyof T]: T[Name] };

interface Open {
  readonly item: Growing<Call>;
  readonly items: Item[];
  readonly depth: number;
  readonly inside: Open | undefined;
}

/** Returns the items in the order in which they began. The same events always give the same items. */
export function listActivity(turn: Pick<Turn, "steps" | "attempts" | "status">): readonly Item[] {
  const list = new ActivityList(turn);
  for (const step of turn.steps) list.add(step);
  return list.end();
}

class ActivityList {
  readonly #turn: Pick<Turn, "steps" | "attempts" | "status">;
  readonly #attempts: ReadonlyMap<string | undefined, Attempt>;
  readonly #items: Item[] = [];
  readonly #itemsOfFailed = new Map<string, Item[]>();
  readonly #calls = new Map<string, Open>();
  readonly #requests = new Map<string, Growing<ModelRequest>>();
  readonly #subagents: Growing<Subagent>[] = [];
  readonly #plans = new Map<string | undefined, Growing<Plan>>();
  #attemptsPlaced = 0;

  constructor(turn: Pick<Turn, "steps" | "attempts" | "status">) {
    this.#turn = turn;
    this.#attempts = new Map(turn.attempts.map((attempt) => [attempt.id, attempt]));
  }

  add(step: Step): void {
    switch (step.type) {
      case "model.request_started":
      case "model.request_completed":
        return this.#addRequest(step);
      case "tool.call_requested":
        return void this.#addCall(step, requestFields(step));
      case "tool.call_completed":
        return this.#completeCall(step);
      case "subagent.started":
      case "subagent.completed":
        return this.#addSubagent(step);
      case "plan.updated":
        return this.#addPlan(step);
      case "agent.event":
      case "agent.events_omitted":
      case "agent.handoff":
      case "assistant.message":
      case "input.requested":
      case "input.submitted":
      case "message.steered":
      case "reasoning.completed":
      case "step.completed":
        this.#itemsFor(step, parentOf(step)).push({ kind: "event", id: step.id, event: step });
    }
  }

  end(): readonly Item[] {
    this.#placeAttempts(this.#turn.attempts.length);
    return this.#items;
  }

  /** Adds a row for each failed attempt before the attempt with this index. */
  #placeAttempts(before: number): void {
    const { attempts } = this.#turn;
    const names = this.#attemptsPlaced < before ? listRunNames(attempts) : [];
    for (; this.#attemptsPlaced < before; this.#attemptsPlaced += 1) {
      const index = this.#attemptsPlaced;
      const attempt = attempts[index];
      if (attempt === undefined || !isRunSuperseded(attempts, index)) continue;
      const { id, outcome, error } = attempt;
      const items: Item[] = [];
      this.#itemsOfFailed.set(id, items);
      this.#items.push({ kind: "attempt", id, name: names[index] ?? "", outcome, error, items });
    }
  }

  /** Returns the list that an event of the agent itself, or of this subagent, belongs to. */
  #itemsFor(step: Step, parentId?: string): Item[] {
    const parent = parentId === undefined ? undefined : this.#callOf(step, parentId);
    if (parent !== undefined) return parent.items;
    const { attempt_id: attemptId } = step;
    if (attemptId === undefined) return this.#items;
    this.#placeAttempts(1 + this.#turn.attempts.findIndex(({ id }) => id === attemptId));
    return this.#itemsOfFailed.get(attemptId) ?? this.#items;
  }

  /** A call that waited for a person is completed by the attempt after its own. A fork does not know its attempts. */
  #callOf({ attempt_id: attemptId }: Step, callId: string): Open | undefined {
    const found = this.#calls.get(callId);
    if (found === undefined || found.item.attemptId === attemptId) return found;
    const ofCall = this.#attempts.get(found.item.attemptId);
    return ofCall === undefined || ofCall.outcome === "suspended" ? found : undefined;
  }

  /** Returns the state of work that has not ended. */
  #openState({ attempt_id: attemptId }: Step): WorkState {
    const attempt = this.#attempts.get(attemptId);
    if (attempt !== undefined && attempt.outcome === undefined) return "running";
    return attempt?.outcome === "suspended" && this.#turn.status === "waiting_for_input" ? "waiting" : "unfinished";
  }

  #addCall(
    step: EventOf<"tool.call_requested" | "tool.call_completed">,
    fields: Partial<Growing<Call>>,
  ): Growing<Call> {
    const { call_id: callId, name, agent, parent_call_id: parentId } = step.data;
    const parent = parentId === undefined ? undefined : this.#callOf(step, parentId);
    const inside = parent !== undefined && parent.depth >= depthMax ? parent.inside : parent;
    const items: Item[] = [];
    const item: Growing<Call> = {
      kind: "call",
      id: step.id,
      ...{ callId, attemptId: step.attempt_id, name, agent, items, state: this.#openState(step) },
      ...{ toolKind: undefined, server: undefined, arguments: undefined },
      ...{ argumentsBytes: undefined, argumentsId: undefined, resultBytes: undefined, resultId: undefined },
      ...{ result: undefined, error: undefined, durationMs: undefined, subagent: undefined },
      ...fields,
    };
    (inside?.items ?? this.#itemsFor(step)).push(item);
    this.#calls.set(callId, { item, items, depth: (inside?.depth ?? 0) + 1, inside });
    return item;
  }

  #completeCall(step: EventOf<"tool.call_completed">): void {
    const { call_id: callId, is_error: isError, duration_ms: durationMs, ...given } = step.data;
    const { result, error, result_bytes: resultBytes, result_value_id: resultId } = given;
    const item = this.#callOf(step, callId)?.item ?? this.#addCall(step, {});
    Object.assign(item, { result, error, resultBytes, resultId, durationMs, state: isError ? "failed" : "done" });
  }

  #addRequest(step: EventOf<"model.request_started" | "model.request_completed">): void {
    const key = `${step.attempt_id} ${step.data.ordinal}`;
    const known = this.#requests.get(key);
    const isDone = step.type === "model.request_completed";
    const ended = isDone && step.data.error !== undefined ? "failed" : "done";
    const state = isDone ? ended : this.#openState(step);
    if (known !== undefined) return void Object.assign(known, { state, data: { ...known.data, ...step.data } });
    const item: Growing<ModelRequest> = { kind: "request", id: step.id, state, data: step.data };
    this.#requests.set(key, item);
    this.#itemsFor(step, step.data.parent_call_id).push(item);
  }

  /** A subagent that a call runs is a property of that call. */
  #addSubagent(step: EventOf<"subagent.started" | "subagent.completed">): void {
    const { name, parent_call_id: parentId } = step.data;
    const call = parentId === undefined ? undefined : this.#callOf(step, parentId);
    if (call !== undefined) return void (call.item.subagent = name);
    const open = this.#subagents.findLast((one) => one.name === name && one.state === this.#openState(step));
    if (step.type === "subagent.started" || open === undefined) {
      const item: Growing<Subagent> = {
        ...{ kind: "subagent", id: step.id, name, state: this.#openState(step), durationMs: undefined },
      };
      this.#subagents.push(item);
      this.#itemsFor(step).push(item);
      if (step.type === "subagent.completed") endSubagent(item, step);
      return;
    }
    endSubagent(open, step);
  }

  #addPlan(step: EventOf<"plan.updated">): void {
    const { items: todos, parent_call_id: parentId } = step.data;
    const item: Growing<Plan> = { kind: "plan", id: step.id, todos, isLatest: true };
    const before = this.#plans.get(parentId);
    if (before !== undefined) before.isLatest = false;
    this.#plans.set(parentId, item);
    this.#itemsFor(step, parentId).push(item);
  }
}

function requestFields({ data }: EventOf<"tool.call_requested">): Partial<Growing<Call>> {
  const { kind: toolKind, server, arguments: given, arguments_bytes: argumentsBytes, arguments_value_id: id } = data;
  return { toolKind, server, arguments: given, argumentsBytes, argumentsId: id };
}

/** Reasoning and text of a subagent belong to the call that runs it. */
function parentOf({ data }: Step): string | undefined {
  return "parent_call_id" in data ? data.parent_call_id : undefined;
}

function endSubagent(item: Growing<Subagent>, { data }: EventOf<"subagent.completed">): void {
  item.state = data.is_error ? "failed" : "done";
  item.durationMs = data.duration_ms;
}

/** Returns how many calls there are, with those of subagents. */
export function countCalls(items: readonly Item[]): number {
  let count = 0;
  for (const item of items) {
    if (item.kind === "call") count += 1;
    if ("items" in item) count += countCalls(item.items);
  }
  return count;
}
