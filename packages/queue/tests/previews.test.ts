// Previews over a Redis that stops answering: the sender notices, and listeners get previews again afterwards.

import { randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { Preview } from "@dari/domain";
import { describeWith, requireService, startFaultProxy, waitUntil } from "@dari/testkit";
import { createRedisPreviews } from "../src/index.ts";

describeWith("redis", "previews", () => {
  test("are followed by session, and again after a silence", async () => {
    await using stack = new AsyncDisposableStack();
    const url = new URL(requireService("redis").url);
    const proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
    url.port = String(proxy.port);
    const open = () => stack.adopt(createRedisPreviews(url.href, `test-${prefix}`), (opened) => opened.close());
    const prefix = randomUUID();
    const [sender, follower] = [open(), open()];
    const heard: string[] = [];
    follower.follow("sess_1", (preview) => heard.push(String(preview.data["text"])));
    const hear = (text: string) =>
      waitUntil(
        () => {
          sender.send("sess_2", previewOf("another session's"));
          sender.send("sess_1", previewOf(text));
          return heard.includes(text);
        },
        { what: text },
      );
    await hear("before");
    await waitUntil(() => sender.available, { what: "the connection" });
    expect(await Promise.all(["sess_1", "sess_2"].map((id) => sender.isFollowed(id)))).toEqual([true, false]);
    proxy.blackHole();
    await waitUntil(() => !sender.available, { what: "the silence to be noticed" });
    // Unknown.
    expect(await sender.isFollowed("sess_2")).toBe(true);
    proxy.forward();
    await hear("after");
    expect(heard).not.toContain("another session's");
  });
});

function previewOf(text: string): Preview {
  return { type: "assistant.text_delta", messageId: "msg_1", attemptId: "att_1", data: { text } };
}
