// The prompt at the bottom of a terminal, with what is typed. The rows above it, such as the unfinished line of an
// answer, are part of readline's prompt: it counts and redraws them.

import { clearScreenDown, cursorTo, moveCursor, type Interface, type Key } from "node:readline";
import { Writable } from "node:stream";

export type Prompt = ReturnType<typeof createPrompt>;

/** `echo`: what readline writes to. */
export function createPrompt(reader: Interface, out: Writable, echo: Echo) {
  let shown: string | undefined;
  const { input } = reader as unknown as { readonly input: NodeJS.ReadStream };
  /** Readline draws again from the row where it believes its prompt begins. Lets it count the rows now. */
  const countRows = (): void => {
    echo.isOn = false;
    reader.prompt(true);
  };
  const self = {
    /** The rows between the text and the prompt. */
    rows: "",
    /** Shows text above the prompt. `next` undefined: no prompt is shown. */
    draw(text: string, next: string | undefined, withRows = true): void {
      if (shown !== undefined) {
        moveCursor(out, 0, -reader.getCursorPos().rows);
        cursorTo(out, 0);
        clearScreenDown(out);
      }
      if (text !== "") out.write(text);
      shown = next;
      echo.isOn = false;
      if (next === undefined) return;
      reader.setPrompt(withRows && self.rows !== "" ? `${self.rows}\n${next}` : next);
      countRows();
      // Readline moves up by the rows that it has counted, although they are not drawn yet.
      out.write("\n".repeat(reader.getCursorPos().rows));
      echo.isOn = true;
      reader.prompt(true);
    },
    /** Readline has shown an entered line and begins another one. */
    entered(): void {
      shown = undefined;
      echo.isOn = false;
    },
    /** Removes what is typed and returns it. */
    clearTyped(): string {
      const typed = reader.line;
      reader.write(null, { ctrl: true, name: "e" });
      reader.write(null, { ctrl: true, name: "u" });
      return typed;
    },
    [Symbol.dispose](): void {
      input.off("keypress", beforeKey);
      input.off("keypress", afterKey);
    },
  };
  // An entered line stays on the screen, and the rows above it must not.
  const beforeKey = (_text: string, key: Key | undefined): void => {
    const isEnter = key?.name === "return" || key?.name === "enter";
    if (isEnter && shown !== undefined && self.rows !== "") self.draw("", shown, false);
  };
  // Readline does not count the rows of pasted text.
  const afterKey = (): void => {
    if (shown === undefined) return;
    countRows();
    echo.isOn = true;
  };
  input.prependListener("keypress", beforeKey);
  input.on("keypress", afterKey);
  return self;
}

export interface Echo {
  readonly stream: Writable;
  /** Whether what readline writes is shown. */
  isOn: boolean;
}

/** What is typed while no line is waited for is kept for the next prompt, and not shown. */
export function createEcho(out: Writable): Echo {
  const echo: Echo = {
    isOn: false,
    stream: new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        if (echo.isOn) out.write(chunk);
        done();
      },
    }),
  };
  Object.defineProperty(echo.stream, "columns", { get: () => (out as { columns?: number }).columns });
  return echo;
}
