// Talks to an agent with OpenAI's package. OPENAI_BASE_URL and OPENAI_API_KEY name the platform and its key.

import { createReadStream } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import OpenAI from "openai";

type Response = OpenAI.Responses.Response;

const client = new OpenAI();
// The name of an agent.
const model = "notebook";

// A turn that fails is a response with the status "failed", not an HTTP error.
function answerOf({ id, status, error, output_text }: Response): string {
  if (status !== "completed") throw new Error(`${id} is ${status}: ${error?.message}`);
  return output_text;
}

// A response that waits for a person stays in progress, so the loop has an end.
async function ended(response: Response, seconds: number): Promise<Response> {
  const deadline = Date.now() + seconds * 1_000;
  while (response.status === "queued" || response.status === "in_progress") {
    if (Date.now() > deadline) throw new Error(`${response.id} is still ${response.status}`);
    await wait(500);
    response = await client.responses.retrieve(response.id);
  }
  return response;
}

console.log("# A conversation: each request names the response that it continues");
const first = await client.responses.create({ model, input: "Buy milk" });
console.log(answerOf(first));
const second = await client.responses.create({ model, input: "Call Ann", previous_response_id: first.id });
console.log(answerOf(second));

console.log("# A branch: continues the first response again, with the files of that time");
const branch = await client.responses.create({ model, input: "Buy tea", previous_response_id: first.id });
console.log(answerOf(branch));

console.log("# A file, and a stream with tool calls: the agent has run them already");
const file = await client.files.create({ file: createReadStream("letter.txt"), purpose: "user_data" });
const stream = await client.responses.create({
  model,
  input: [
    {
      role: "user",
      content: [
        { type: "input_text", text: "Count" },
        { type: "input_file", file_id: file.id },
      ],
    },
  ],
  stream: true,
});
for await (const event of stream) {
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
  if (event.type === "response.output_item.done" && event.item.type === "mcp_call") {
    console.log(`[${event.item.name} ${event.item.arguments}: ${event.item.output}]`);
  }
  if (event.type === "response.failed" || event.type === "response.incomplete") answerOf(event.response);
}
console.log();
await client.files.delete(file.id);

console.log("# In the background: ask for the response until it has ended");
const job = await client.responses.create({ model, input: "Buy bread", background: true });
console.log(answerOf(await ended(job, 300)));

console.log("# Cancel");
const long = await client.responses.create({ model, input: "Think hard", background: true });
const cancelled = await ended(await client.responses.cancel(long.id), 300);
console.log(cancelled.status);
