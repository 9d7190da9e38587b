// The keys by which agents ask for input during a message.

import { limits } from "./limits.ts";

export const inputKeyPattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$";

const pattern = new RegExp(inputKeyPattern);

export function isInputKey(text: string): boolean {
  return text.length <= limits.inputKeyChars && pattern.test(text);
}
