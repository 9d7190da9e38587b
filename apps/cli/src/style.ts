// Styles of text in a terminal.

import type { Io } from "./context.ts";

const esc = "\u001b[";

/** The sequences before and after a text. */
export const style = {
  bold: [`${esc}1m`, `${esc}22m`],
  dim: [`${esc}2m`, `${esc}22m`],
  italic: [`${esc}3m`, `${esc}23m`],
  underline: [`${esc}4m`, `${esc}24m`],
  code: [`${esc}36m`, `${esc}39m`],
  warning: [`${esc}33m`, `${esc}39m`],
  error: [`${esc}31m`, `${esc}39m`],
} as const;

export type Style = keyof typeof style;

export function paint(name: Style, text: string): string {
  const [on, off] = style[name];
  return text === "" ? "" : `${on}${text}${off}`;
}

/** Returns whether a stream is a terminal that wants styles: `NO_COLOR` is empty or not set. */
export function hasStyles({ stdout, environment }: Io, stream: Io["stderr"] = stdout): boolean {
  return stream.isTTY === true && (environment["NO_COLOR"] ?? "") === "";
}
