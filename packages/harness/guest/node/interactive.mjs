// Recognizes a function that is an interactive program: it takes no prompt, and reads one from the terminal.

import { TurnError } from "./errors.mjs";

const takesNothing = /^(async\s+)?(function\b\s*\*?\s*[\w$]*\s*)?\(\s*\)/;
const readsInput = /\bprocess\.stdin\b|\breadline\b|\bcreateInterface\s*\(/;

export const exportInstead =
  "export a function that takes the prompt and returns the answer, or the agent that your SDK runs";

/** Throws `unsupported_export` with what to export instead. */
export function refuseInteractive(value, { file, export: name }) {
  if (typeof value !== "function") return;
  const source = Function.prototype.toString.call(value);
  if (!takesNothing.test(source) || !readsInput.test(source)) return;
  const found = `${file}:${name} takes no prompt and reads standard input, which a turn does not have`;
  throw new TurnError("unsupported_export", `${found}; ${exportInstead}`);
}
