// The agent of the chaos runs. Its prompts and answers are described in src/chaos/load/agent.ts.

import { appendFileSync, readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";

const tasks = {
  work() {},
  ask() {},
  fail({ times }, { attempt }) {
    if (attempt <= times) throw new Error("as planned");
  },
  exit() {
    process.exit(3);
  },
  hoard() {
    const kept = [];
    for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
  },
  breed() {
    for (let i = 0; i < 60; i++) spawn("sleep", ["600"], { detached: true, stdio: "ignore" }).unref();
    process.exit(4);
  },
};

export async function agent(text, context) {
  const prompt = JSON.parse(text);
  const call = randomBytes(6).toString("hex");
  const tell = (effect) => {
    const fields = { session: context.sessionId, message: context.messageId, attempt: context.attempt, call };
    const line = JSON.stringify({ effect, key: prompt.key, ...fields, at: Date.now() });
    appendFileSync(process.env.EFFECTS_FILE, line + "\n");
  };
  tell("start");
  if (prompt.do === "ask") await context.requestInput("go", { const: prompt.key });
  appendFileSync("ledger.txt", call + "\n");
  await new Promise((resolve) => setTimeout(resolve, prompt.ms));
  tasks[prompt.do](prompt, context);
  tell("end");
  const ledger = readFileSync("ledger.txt", "utf8").trim().split("\n");
  return JSON.stringify({ key: prompt.key, call, ledger });
}
