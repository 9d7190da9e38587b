// The names of agents. A name is accepted wherever an agent's id is, so the two must not be confused.

import { limits } from "./limits.ts";

/** Words with a meaning of their own in a path or in the `dari` command. */
const reserved = [".", "..", "-", "@last"];

/** The rule as an ECMAScript regular expression, for schemas. Blanks around the name do not count. */
export const agentNamePattern =
  `^(?!\\s*(?:agt|dep)_)(?!\\s*(?:${reserved.map((word) => word.replaceAll(".", "\\.")).join("|")})\\s*$)` +
  "(?=[\\s\\S]*\\S)[^\\u0000-\\u001f\\u007f]*$";

export const agentNameExpected =
  `a name of at most ${limits.nameChars} characters, without control characters, ` +
  `that does not begin with 'agt_' or 'dep_' and is none of ${reserved.map((word) => `'${word}'`).join(", ")}`;

const pattern = new RegExp(agentNamePattern);

export function isAgentName(text: string): boolean {
  return text.length <= limits.nameChars && pattern.test(text);
}

/** Returns whether a caller's text for an agent is an id. Everything else is a name. */
export function looksLikeAgentId(text: string): boolean {
  return text.startsWith("agt_") || text.startsWith("dep_");
}
