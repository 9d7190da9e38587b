// The tool calls of a turn, folded to a line each: name, short arguments, state and duration.

import type { StreamedEvent } from "@dari/contract";
import { nameOfCall, oneLine, timeOf, valueOf, type ActivityLine } from "../activity-line.ts";

export interface Calls {
  /** Notes a call that starts or ends. Returns the line of a call that has ended; undefined for every other event. */
  take(event: StreamedEvent): ActivityLine | undefined;
  /** The rows of the calls that are running. */
  rows(): string[];
  /** Forgets the running calls, and returns a line for each: their attempt has ended. */
  end(): ActivityLine[];
}

/** More running calls are counted in one row. */
const rowsMax = 5;

interface RunningCall {
  readonly title: string;
  readonly indent: string;
}

export function createCalls(): Calls {
  const running = new Map<string, RunningCall>();
  return {
    take(event) {
      if (event.type === "tool.call_requested") {
        const { call_id, parent_call_id, arguments: given } = event.data;
        const indent = parent_call_id === undefined ? "" : "  ";
        running.set(call_id, { title: `${nameOfCall(event.data)} ${valueOf(given)}`, indent });
        return undefined;
      }
      if (event.type !== "tool.call_completed") return undefined;
      const { call_id, name, is_error, duration_ms, result, error } = event.data;
      const { title, indent } = running.get(call_id) ?? { title: oneLine(name), indent: "" };
      running.delete(call_id);
      const end = is_error ? `: failed: ${valueOf(error ?? result)}` : "";
      return { text: `${indent}${is_error ? "✗" : "✓"} ${title}${timeOf(duration_ms)}${end}`, isFailure: is_error };
    },
    rows() {
      const rows = [...running.values()].map(({ title, indent }) => `${indent}… ${title}`);
      return rows.length <= rowsMax ? rows : [...rows.slice(0, rowsMax), `… and ${rows.length - rowsMax} more calls`];
    },
    end() {
      const left = [...running.values()];
      running.clear();
      return left.map(({ title, indent }) => ({ text: `${indent}✗ ${title}: has not ended`, isFailure: true }));
    },
  };
}
