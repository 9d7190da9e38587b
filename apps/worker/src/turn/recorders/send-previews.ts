// Sends what a running turn's agent writes and prints to viewers of its session. Previews can be lost: the result does
// not depend on them.

import type { Preview, Previews } from "@dari/domain";
import type { AgentPreview } from "@dari/harness";

export interface PreviewSender {
  /** Adds text of the answer, in order, of the message `ordinal`. */
  delta(text: string, ordinal?: number): void;
  /** Adds a piece of reasoning, or of a tool call's arguments. */
  piece(piece: AgentPreview): void;
  /** Adds output of the agent. */
  log(stream: "stdout" | "stderr", text: string): void;
  /** Sends all waiting text now. */
  flush(): void;
}

/** Pieces that arrive within this time are sent as one, in milliseconds. */
const flushEveryMs = 40;
/** UTF-16 units of one preview. Escaped as JSON, each takes at most six bytes. */
const pieceUnits = 1_200;
/** The same for arguments. Such a preview also has the names of its call, of at most 200 units each. */
const argumentsUnits = 700;
/** Maximum number of pieces per flush. More are dropped, so that a flood does not delay the previews of others. */
const piecesPerFlushMax = 100;
/** Maximum length of an attempt's output in previews, in UTF-16 units. The attempt's log can contain more. */
const logUnitsMax = 256 * 1024;

export function startPreviewSender(
  previews: Previews,
  turn: { readonly sessionId: string; readonly messageId: string; readonly attemptId: string },
): PreviewSender {
  const { sessionId, messageId, attemptId } = turn;
  const waiting: { of: Kind; text: string }[] = [];
  let offset = 0;
  let logUnitsLeft = logUnitsMax;
  let timer: NodeJS.Timeout | undefined;

  const send = ({ type, ...fields }: Kind, text: string, start: number): void => {
    const data = type === "assistant.text_delta" ? { text, offset: offset + start, ...fields } : { ...fields, text };
    previews.send(sessionId, { type, messageId, attemptId, data });
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    let left = piecesPerFlushMax;
    for (const { of, text } of waiting.splice(0)) {
      for (const { piece, start } of piecesOf(text, of.type === "tool.arguments_delta" ? argumentsUnits : pieceUnits)) {
        if (left === 0) break;
        left -= 1;
        send(of, piece, start);
      }
      if (of.type === "assistant.text_delta") offset += text.length;
    }
  };
  const add = (of: Kind, text: string): void => {
    const last = waiting.at(-1);
    if (last !== undefined && isSame(last.of, of)) last.text += text;
    else waiting.push({ of, text });
    timer ??= setTimeout(flush, flushEveryMs).unref();
  };

  return {
    delta: (text, ordinal) =>
      add({ type: "assistant.text_delta", ...(ordinal === undefined ? {} : { ordinal }) }, text),
    piece({ type, data: { text, ...fields } }) {
      add({ type, ...fields }, text);
    },
    log(stream, text) {
      const shown = text.slice(0, logUnitsLeft);
      logUnitsLeft -= shown.length;
      if (shown !== "") add({ type: "log", stream }, shown);
    },
    flush,
  };
}

/** What a text is, without the text: its type and the other fields of its data. */
type Kind = { readonly type: Preview["type"] } & Readonly<Record<string, string | number>>;

function isSame(one: Kind, other: Kind): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** Cuts text into pieces between characters, never inside a surrogate pair. */
function* piecesOf(text: string, units: number): Generator<{ piece: string; start: number }> {
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + units);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield { piece: text.slice(start, end), start };
    start = end;
  }
}
