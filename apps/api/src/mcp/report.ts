// Progress notifications: what a turn does, in one line.

import type { StreamItem } from "@dari/control/outbound";

/** Reports come at most, and at least, this often, in milliseconds. Clients extend their time limits by them. */
const reportEveryMs = 1_000;
const reportAgainMs = 5_000;

/** How much of a name a report shows. */
const shownChars = 200;

export interface Reporter {
  readonly note: (text: string) => void;
  stop(): void;
}

/** Reports `first` immediately, then the newest text. */
export function createReporter(report: ((text: string) => void) | undefined, first: string): Reporter {
  if (report === undefined) return { note: () => undefined, stop: () => undefined };
  let text = first;
  let isNew = true;
  let reportedAt = -Infinity;
  const tick = (): void => {
    if (!isNew && performance.now() - reportedAt < reportAgainMs) return;
    isNew = false;
    reportedAt = performance.now();
    report(text);
  };
  tick();
  const timer = setInterval(tick, reportEveryMs);
  return {
    note(next) {
      text = next;
      isNew = true;
    },
    stop: () => clearInterval(timer),
  };
}

/** Returns undefined for events that are not reported. */
export function describeItem(item: StreamItem): string | undefined {
  if (item.kind !== "event") return undefined;
  const { event } = item;
  if (event.type === "message.status_changed") return `${event.message_id} is ${event.data.status}`;
  if (event.type === "attempt.started") return `${event.message_id} attempt ${event.data.number}`;
  if (event.type === "tool.call_requested") return `${event.message_id} calls ${oneLine(event.data.name)}`;
  if (event.type === "agent.event") return `${event.message_id} reports ${oneLine(event.data.name)}`;
  return undefined;
}

/** The agent chooses names. */
function oneLine(text: string): string {
  return text.slice(0, shownChars).replaceAll(/\s+/g, " ");
}
