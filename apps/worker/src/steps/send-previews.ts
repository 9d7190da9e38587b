// Sends a running turn's text and logs to viewers of its session. Previews can be lost: the result does not depend on
// them.

import type { Previews } from "@dari/domain";

export interface PreviewSender {
  /** Adds text of the answer, in order. */
  delta(text: string): void;
  /** Adds output of the agent. */
  log(stream: "stdout" | "stderr", text: string): void;
  /** Sends all waiting text now. */
  flush(): void;
}

/** Pieces that arrive within this time are sent as one, in milliseconds. */
const flushEveryMs = 40;
/** UTF-16 units of one preview. Escaped as JSON, each takes at most six bytes. */
const pieceUnits = 1_200;
/** Maximum number of pieces per flush. More are dropped, so that a flood does not delay the previews of others. */
const piecesPerFlushMax = 100;
/** Maximum length of an attempt's output in previews, in UTF-16 units. The attempt's log can contain more. */
const logUnitsMax = 256 * 1024;

export function startPreviewSender(
  previews: Previews,
  turn: { readonly sessionId: string; readonly messageId: string; readonly attemptId: string },
): PreviewSender {
  const { sessionId, messageId, attemptId } = turn;
  const waiting: { stream: "text" | "stdout" | "stderr"; text: string }[] = [];
  let offset = 0;
  let logUnitsLeft = logUnitsMax;
  let timer: NodeJS.Timeout | undefined;

  const send = (stream: "text" | "stdout" | "stderr", text: string, start: number): void => {
    if (stream === "text") {
      const data = { text, offset: offset + start };
      previews.send(sessionId, { type: "assistant.text_delta", messageId, attemptId, data });
    } else {
      previews.send(sessionId, { type: "log", messageId, attemptId, data: { stream, text } });
    }
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    let left = piecesPerFlushMax;
    for (const { stream, text } of waiting.splice(0)) {
      for (const { piece, start } of piecesOf(text)) {
        if (left === 0) break;
        left -= 1;
        send(stream, piece, start);
      }
      if (stream === "text") offset += text.length;
    }
  };
  const add = (stream: "text" | "stdout" | "stderr", text: string): void => {
    const last = waiting.at(-1);
    if (last?.stream === stream) last.text += text;
    else waiting.push({ stream, text });
    timer ??= setTimeout(flush, flushEveryMs).unref();
  };

  return {
    delta: (text) => add("text", text),
    log(stream, text) {
      const shown = text.slice(0, logUnitsLeft);
      logUnitsLeft -= shown.length;
      if (shown !== "") add(stream, shown);
    },
    flush,
  };
}

/** Cuts text into pieces between characters, never inside a surrogate pair. */
function* piecesOf(text: string): Generator<{ piece: string; start: number }> {
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + pieceUnits);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield { piece: text.slice(start, end), start };
    start = end;
  }
}
