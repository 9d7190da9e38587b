// Tests which texts are names of agents.

import { expect, test } from "@jest/globals";
import { isAgentName } from "./agent-name.ts";
import { limits } from "./limits.ts";
import { newId } from "./ids.ts";

test.each([
  "support-agent",
  "Travel planner (beta)",
  "@acme/agent",
  "file_reader",
  "agtx",
  "über 1.5",
  "...",
  "a".repeat(limits.nameChars),
])("%j is a name", (name) => expect(isAgentName(name)).toBe(true));

test.each([
  "",
  "  ",
  "agt_1",
  "dep_weather",
  " agt_1",
  newId("agent"),
  ".",
  "..",
  "-",
  "@last",
  " - ",
  "a\nb",
  "a\u0000b",
  "a".repeat(limits.nameChars + 1),
])("%j is not a name", (name) => expect(isAgentName(name)).toBe(false));
