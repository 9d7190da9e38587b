// Tests sending a message and waiting for its end, over real HTTP on loopback.

import { describe, expect, test } from "@jest/globals";
import { text } from "node:stream/consumers";
import type { Message } from "@dari/client";
import { reply, serve } from "./serve.ts";

function record(fields: Partial<Message>): Partial<Message> {
  return { id: "msg_1", status: "queued", ...fields };
}

const hello = { parts: [{ type: "text" as const, text: "hello" }] };

describe("a sent message", () => {
  const event = (sequence: number, type: string, data: object, message = "msg_1") =>
    `data: ${JSON.stringify({ sequence_number: sequence, type, message_id: message, data })}\n\n`;
  const stream = { "content-type": "text/event-stream" };

  test("is answered as soon as its end is streamed, through its merge into another", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((request, response) => {
      seen.push([request.method, request.url]);
      response.writeHead(200, stream);
      response.write(event(1, "user.message", {}));
      response.write(event(2, "message.completed", record({ status: "completed", merged_into: "msg_2" })));
      response.end(event(3, "message.completed", record({ id: "msg_2", status: "completed" }), "msg_2"));
    });
    expect((await client.sendMessage("sess_1", hello)).id).toBe("msg_2");
    expect(seen).toEqual([["POST", "/v1/sessions/sess_1/messages/stream"]]);
  });

  test("is not sent again when its stream breaks: the stream is resumed", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((request, response) => {
      seen.push([request.method, request.url, typeof request.headers["idempotency-key"]]);
      if (seen.length === 1) return void request.socket.destroy();
      response.writeHead(200, stream);
      if (seen.length === 2) response.write(event(4, "user.message", {}), () => response.destroy());
      else response.end(event(4, "user.message", {}) + event(5, "message.failed", record({ status: "failed" })));
    });
    const types: string[] = [];
    for await (const { type } of client.sendMessageStream("sess_1", hello)) types.push(type);
    expect(types).toEqual(["user.message", "message.failed"]);
    expect(seen).toEqual([
      ["POST", "/v1/sessions/sess_1/messages/stream", "string"],
      ["POST", "/v1/sessions/sess_1/messages/stream", "string"],
      ["GET", "/v1/messages/msg_1/stream?after_seq=4", "undefined"],
    ]);
  });

  test("reports its record whenever that has changed", async () => {
    const states = [record({ status: "running" })];
    const { client } = await serve((request, response) => {
      if (request.url === "/v1/messages/msg_1") return reply(response, 200, states.shift());
      response.writeHead(200, stream);
      response.write(event(1, "user.message", {}) + event(2, "message.status_changed", {}));
      response.end(event(3, "message.completed", record({ status: "completed" })));
    });
    const seen: string[] = [];
    await client.waitForMessage("msg_1", { onRecord: ({ status }) => void seen.push(status) });
    expect(seen).toEqual(["running", "completed"]);
  });

  test("has its files uploaded", async () => {
    const sent: unknown[] = [];
    const { client } = await serve((request, response) => {
      void text(request).then((body) => {
        if (request.url === "/v1/files") return reply(response, 201, { id: "file_1" });
        sent.push(JSON.parse(body));
        response.writeHead(200, stream).end(event(1, "message.completed", record({ status: "completed" })));
      });
    });
    const files = [{ filename: "a.txt", content: "bytes" }];
    expect((await client.send("sess_1", "hi", { files, lane: "background" })).status).toBe("completed");
    const parts = [
      { type: "text", text: "hi" },
      { type: "file", file_id: "file_1" },
    ];
    expect(sent).toEqual([{ parts, lane: "background" }]);
  });

  test("is repeated with its files under the caller's key", async () => {
    const keys: unknown[] = [];
    const { client } = await serve((request, response) => {
      keys.push(request.headers["idempotency-key"]);
      request.resume().on("end", () => {
        if (request.url === "/v1/files") reply(response, 201, { id: "file_1" });
        else response.writeHead(200, stream).end(event(1, "message.completed", record({ status: "completed" })));
      });
    });
    const files = [{ filename: "a.txt", content: "bytes" }];
    const long = "k".repeat(254) + "!";
    for (const idempotencyKey of ["order-7", "order-7", long])
      await client.send("sess_1", "hi", { files, idempotencyKey });
    expect(keys).toEqual(["order-7.file-0", "order-7", "order-7.file-0", "order-7", `${long.slice(7)}.file-0`, long]);
  });
});
