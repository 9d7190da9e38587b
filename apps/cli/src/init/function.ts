// The function that `dari init` writes: it streams, keeps a file, uses a secret and asks for an approval.

export const functionInTypescript = `import { appendFile, readFile, rm } from "node:fs/promises";
import { defineAgent, requestInput } from "@dari/agent";

const decision = { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] };

export const agent = defineAgent(async function* (prompt) {
  // A secret: name it in dari.yml, and store its value with \`dari credentials add API_KEY\`.
  const key = process.env["API_KEY"];
  yield \`You said: \${prompt}\${key === undefined ? "" : " (I have a key)"}\\n\`; // Text is streamed as it is yielded.
  if (prompt.startsWith("forget")) {
    // The message waits here, for days if it must. After the answer, the function runs again from its start.
    const { approved } = await requestInput<{ approved: boolean }>("forget", decision, { prompt: "Delete all notes?" });
    if (approved) await rm("notes.txt", { force: true });
    yield approved ? "I have forgotten everything." : "I still remember.";
    return;
  }
  // The working directory is the session's workspace: its files are still there in the next message.
  await appendFile("notes.txt", \`\${prompt}\\n\`);
  const notes = (await readFile("notes.txt", "utf8")).trimEnd().split("\\n");
  yield \`I have \${notes.length} note(s) of this session.\`;
});
`;

export const functionTestInTypescript = `import assert from "node:assert/strict";
import { test } from "node:test";
import { runLocally } from "@dari/agent/local";
import { agent } from "../src/agent.ts";

test("remembers what it was told", async () => {
  const { workspace } = await runLocally(agent, "one");
  const turn = await runLocally(agent, "two", { workspace });
  assert.equal(turn.text, "You said: two\\nI have 2 note(s) of this session.");
});

test("forgets only if a person approves", async () => {
  const waiting = await runLocally(agent, "forget");
  assert.equal(waiting.input?.prompt, "Delete all notes?");
  const turn = await runLocally(agent, "forget", { answers: { forget: { approved: false } } });
  assert.equal(turn.text, "You said: forget\\nI still remember.");
});
`;

export const functionInPython = `import os
from pathlib import Path

from dari_agent import define_agent, request_input

DECISION = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


@define_agent
def agent(prompt: str):
    # A secret: name it in dari.yml, and store its value with \`dari credentials add API_KEY\`.
    key = os.environ.get("API_KEY")
    yield f"You said: {prompt}{' (I have a key)' if key else ''}\\n"  # Text is streamed as it is yielded.
    notes = Path("notes.txt")
    if prompt.startswith("forget"):
        # The message waits here, for days if it must. After the answer, the function runs again from its start.
        approved = request_input("forget", DECISION, prompt="Delete all notes?")["approved"]
        if approved:
            notes.unlink(missing_ok=True)
        yield "I have forgotten everything." if approved else "I still remember."
        return
    # The working directory is the session's workspace: its files are still there in the next message.
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"{prompt}\\n")
    yield f"I have {len(notes.read_text(encoding='utf-8').splitlines())} note(s) of this session."
`;

export const functionTestInPython = `import unittest

from dari_agent.local import run_locally

from agent import agent


class AgentTest(unittest.TestCase):
    def test_remembers_what_it_was_told(self):
        workspace = run_locally(agent, "one").workspace
        turn = run_locally(agent, "two", workspace=workspace)
        self.assertEqual("You said: two\\nI have 2 note(s) of this session.", turn.text)

    def test_forgets_only_if_a_person_approves(self):
        waiting = run_locally(agent, "forget")
        self.assertEqual("Delete all notes?", waiting.input.prompt)
        turn = run_locally(agent, "forget", answers={"forget": {"approved": False}})
        self.assertEqual("You said: forget\\nI still remember.", turn.text)


if __name__ == "__main__":
    unittest.main()
`;
