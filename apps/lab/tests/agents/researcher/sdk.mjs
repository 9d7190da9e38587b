// A package in place of @anthropic-ai/claude-agent-sdk: its sessions say what an agent could have done, without a
// model. Waits at MEETING if the prompt says so, and fails the first attempt if it says so.

import { mkdir, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const model = "claude-sonnet-4-5";
const chart = `<svg xmlns="http://www.w3.org/2000/svg" width="360" height="150" viewBox="0 0 360 150">
<g fill="#2450c5"><rect x="30" y="90" width="60" height="40"/><rect x="150" y="50" width="60" height="80"/>
<rect x="270" y="20" width="60" height="110"/></g><path d="M15 130H345" stroke="#59636f"/></svg>`;
const report = `## Three vendors, one recommendation

| vendor | price per seat | uptime | data in the EU |
| --- | ---: | ---: | --- |
| Northwind | 12.00 | 99.95 % | yes |
| Contoso | 9.50 | 99.2 % | **no** |
| Fabrikam | 14.20 | 99.99 % | yes |

![Price per seat](output/prices.svg)

Take **Northwind**: it is the cheapest one that stores data in the EU. See the [terms](https://example.com/terms) and
ask [their sales desk](mailto:sales@example.com) for the discount from 50 seats.

\`\`\`python
def total(seats: int, price: float = 12.0) -> float:
    """Price of a year, with the discount from 50 seats."""
    return seats * price * 12 * (0.9 if seats >= 50 else 1)  # 58 seats: 7516.80
\`\`\`

1. Sign before June.
2. Keep Fabrikam as the second source.
`;

export async function* query({ prompt }) {
  const session = new Session();
  const { attempt } = globalThis[Symbol.for("dari.agent.context")];
  // More messages come only if the turn is steered.
  const { value } = await prompt[Symbol.asyncIterator]().next();
  const text = value.message.content.map((block) => block.text ?? "").join("\n");
  const todos = (first, second) => ({
    todos: [
      { content: "Read the offers", status: first },
      { content: "Check the terms of each vendor", status: second },
      { content: "Write a recommendation", status: second === "completed" ? "completed" : "pending" },
    ],
  });
  yield* session.answer([
    {
      type: "thinking",
      thinking: "Three offers, in **two** formats.\n\n- compare prices per seat\n- check where data is stored",
    },
    { type: "text", text: "I read the offers first, and check the terms of each vendor." },
    session.call("plan", "TodoWrite", todos("in_progress", "pending")),
    session.call("csv", "Read", { file_path: "/workspace/input/offers.csv" }),
    session.call("sum", "Bash", {
      command: "python3 -c 'import csv; print(len(list(csv.reader(open(\"offers.csv\")))))'",
    }),
    session.call("crm", "mcp__crm__find_vendor", { query: "Northwind", limit: 20 }),
  ]);
  yield session.result("plan", "Todos were changed.");
  if (text.includes("wait")) await (await fetch(process.env.MEETING)).text();
  await sleep(80);
  yield session.result("sum", "Traceback (most recent call last):\n  FileNotFoundError: offers.csv", true);
  await sleep(40);
  yield session.result("csv", "vendor,seats,price\nNorthwind,58,12.00\nContoso,58,9.50\nFabrikam,58,14.20\n");
  yield session.result(
    "crm",
    JSON.stringify(Array.from({ length: 400 }, (_, n) => ({ id: n, note: "a note of 40 characters or so" }))),
  );
  if (text.includes("again") && attempt === 1) throw new Error("the model's server answered 529 overloaded_error");
  yield* session.answer([
    { type: "text", text: "The terms need a closer look." },
    session.call("terms", "Task", {
      description: "Check the terms",
      prompt: "Read the terms of three vendors",
      subagent_type: "lawyer",
    }),
  ]);
  yield* session.answer([session.call("grep", "Grep", { pattern: "liability", path: "/workspace/terms" })], "terms");
  await sleep(60);
  yield session.result(
    "grep",
    "terms/northwind.md:12: The liability is limited to the fees of a year.",
    false,
    "terms",
  );
  yield* session.answer([session.call("web", "WebFetch", { url: "https://example.com/terms" })], "terms");
  await sleep(30);
  yield session.result("web", "# Terms\n\nData is stored in Frankfurt.", false, "terms");
  yield* session.answer([{ type: "text", text: "Two of them store data in the EU." }], "terms");
  yield session.result("terms", "Two of them store data in the EU.");
  yield* session.answer([session.call("done", "TodoWrite", todos("completed", "completed"))]);
  yield session.result("done", "Todos were changed.");
  await mkdir("output", { recursive: true });
  await writeFile("output/prices.svg", chart);
  yield* session.answer([{ type: "text", text: report }]);
  const usage = { input_tokens: 900, cache_read_input_tokens: 4_200, output_tokens: 620 };
  yield {
    type: "result",
    subtype: "success",
    result: report,
    usage,
    modelUsage: {},
    session_id: "scripted",
    total_cost_usd: 0.031,
  };
}

class Session {
  #answers = 0;

  call(id, name, input) {
    return { type: "tool_use", id: `toolu_${id}`, name, input };
  }

  result(id, content, is_error = false, parent = undefined) {
    const block = { type: "tool_result", tool_use_id: `toolu_${id}`, content, is_error };
    return { type: "user", parent_tool_use_id: parentOf(parent), message: { content: [block] } };
  }

  async *answer(content, parent = undefined) {
    this.#answers += 1;
    const id = `msg_${this.#answers}`;
    const usage = {
      input_tokens: 40 * this.#answers,
      cache_read_input_tokens: 700 * (this.#answers - 1),
      output_tokens: 90,
    };
    const event = (fields) => ({ type: "stream_event", parent_tool_use_id: parentOf(parent), event: fields });
    yield event({ type: "message_start", message: { id, model, usage: {} } });
    await sleep(60);
    for (const { type, text = "" } of content) {
      for (const piece of type === "text" ? (text.match(/.{1,60}/gs) ?? []) : []) {
        yield event({ type: "content_block_delta", delta: { type: "text_delta", text: piece } });
        await sleep(4);
      }
    }
    const isLast = content.every(({ type }) => type === "text");
    yield event({ type: "message_delta", delta: { stop_reason: isLast ? "end_turn" : "tool_use" }, usage });
    yield event({ type: "message_stop" });
    yield { type: "assistant", parent_tool_use_id: parentOf(parent), message: { id, model, usage, content } };
  }
}

const parentOf = (parent) => (parent === undefined ? null : `toolu_${parent}`);
