// Shows one turn: the answer while it is written, and a line for everything else, in order.

import type { MessageRecord, StreamedEvent } from "@dari/contract";
import { activityLine, oneLine, valueOf, type ActivityLine } from "../activity-line.ts";
import { createAnswerText, textOfAnswer } from "../answer-text.ts";
import { withoutControls } from "../controls.ts";
import { paint } from "../style.ts";
import { createCalls } from "./calls.ts";
import { createMarkdown } from "./markdown.ts";
import type { Screen } from "./screen.ts";

export interface AnswerView {
  /** Shows a line that is not part of the answer. */
  aside(text: string): void;
  /** The turn waits for the person's answer from now on, or no longer. */
  setAsking(isAsking: boolean): void;
  /** Shows an event before the message's last one. */
  take(event: StreamedEvent): void;
  /** Shows what was not streamed, the files, and why a turn did not complete. */
  finish(record: MessageRecord): void;
  /** Leaves nothing unfinished on the screen. */
  close(): void;
}

/** Shown while no call runs. */
const working = "… working";

/** `logs`: whether the agent's stdout and stderr are shown. */
export function createAnswerView(screen: Screen, logs: boolean): AnswerView {
  const { put, endLine, aside, painted } = createWriter(screen);
  const calls = createCalls();
  const answer = createAnswerText();
  let isAsking = false;
  const show = (line: ActivityLine | undefined): void => line && aside(line.text, line.isFailure);
  const showCalls = (): void => {
    const rows = calls.rows();
    screen.setRows((rows.length > 0 || isAsking ? rows : [working]).map((row) => painted(row)));
  };
  const endCalls = (): void => {
    for (const line of calls.end()) show(line);
    showCalls();
  };

  function take(event: StreamedEvent): void {
    if (event.type === "tool.call_requested" || event.type === "tool.call_completed") {
      const line = calls.take(event);
      // Text after a call can come before the event of its end, which is stored with others.
      if (line !== undefined) screen.above(`${painted(line.text, line.isFailure)}\n`);
      showCalls();
    } else if (event.type === "assistant.text_delta") put(answer.push(event.data));
    else if (event.type === "assistant.message") {
      // The previews of a subagent's text are not sent.
      if (event.data.parent_call_id !== undefined) return;
      put(answer.noteAside(event.data.text));
      if (answer.isEmpty) endLine();
    } else if (event.type === "log" && logs) aside(event.data.text.replace(/\n$/, ""));
    else if (event.type === "agent.event") aside(`${oneLine(event.data.name)} ${valueOf(event.data.data)}`);
    else if (event.type === "attempt.ended") {
      if (event.data.outcome !== "completed") endAttempt(event.data.outcome);
    } else show(activityLine(event));
  }

  function endAttempt(outcome: string): void {
    endLine();
    answer.reset();
    // The attempt after it has the results of the calls that wait for a person.
    if (outcome === "suspended") return;
    endCalls();
    // The message's last event follows, and says the same.
    if (outcome !== "cancelled" && outcome !== "failed") aside(`attempt ended: ${outcome}`);
  }

  function finish(record: MessageRecord): void {
    endCalls();
    const text = textOfAnswer(record);
    const shown = answer.shownOf(text);
    if (!text.startsWith(shown) || shown === "") endLine();
    put(text.startsWith(shown) ? text.slice(shown.length) : text);
    endLine();
    for (const { change, path } of record.files_changed) aside(`${change} ${path}`);
    show(endOf(record));
  }

  showCalls();
  return {
    aside,
    take,
    finish,
    setAsking(isNow) {
      isAsking = isNow;
      showCalls();
    },
    close() {
      endLine();
      screen.setRows([]);
    },
  };
}

/** Returns why a turn did not complete. */
function endOf({ status, output }: MessageRecord): ActivityLine | undefined {
  const error = output?.error;
  if (status === "completed") return undefined;
  return error === undefined
    ? { text: status, isFailure: false }
    : { text: `${status}: ${error.message} (${error.code})`, isFailure: true };
}

/** Writes an answer as Markdown, and lines between its paragraphs. */
function createWriter(screen: Screen) {
  const { isStyled } = screen;
  let markdown = createMarkdown({ isStyled });
  const painted = (text: string, isFailure = false): string => {
    const shown = withoutControls(text);
    return isStyled ? paint(isFailure ? "error" : "dim", shown) : shown;
  };
  const endLine = (): void => {
    screen.write(markdown.end());
    markdown = createMarkdown({ isStyled });
    screen.endLine();
  };
  return {
    painted,
    endLine,
    put: (text: string): void => screen.write(markdown.push(text)),
    aside(text: string, isFailure = false): void {
      endLine();
      screen.note(`${painted(text, isFailure)}\n`);
    },
  };
}
