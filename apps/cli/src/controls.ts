// Keeps the text of agents, builds and other servers from controlling the terminal.

/** Agents' text must not move the cursor or change the terminal's title. */
export function withoutControls(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}

/** Returns the text as it is written to a stream: a terminal gets no control characters, a program gets all. */
export function textFor({ isTTY }: { readonly isTTY?: boolean }, text: string): string {
  return isTTY === true ? withoutControls(text) : text;
}
