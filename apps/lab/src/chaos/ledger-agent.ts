// The agent that chaos runs: each turn adds its message's line to a file of the session. A lost turn is a missing
// line, a doubled one a line too many, a wrong order lines in another order.

export const ledgerAgent = {
  "dari.yml":
    "name: ledger\nsdk: opencode\nentrypoint: agent.js:agent\nruntime: {language: typescript, timeout_seconds: 60}\n" +
    "retries: {max_attempts: 20}\n",
  "package.json": '{"type":"module"}',
  "agent.js": `
import { appendFileSync, readFileSync } from "node:fs";
export async function agent(prompt, context) {
  appendFileSync("ledger.txt", prompt + "\\n");
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 60));
  return readFileSync("ledger.txt", "utf8");
}
`,
} as const;
