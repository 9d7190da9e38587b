// Tests the load balancer of the rehearsals: where calls go, and which count as failed.

import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { freePort } from "@dari/embedded";
import { expect, test } from "@jest/globals";
import { failedAnswers, startBalancer } from "./balancer.ts";

async function serve(stack: AsyncDisposableStack, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const says =
  (text: string, status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status).end(text);

test("calls go to those in rotation, in turn, with their bodies", async () => {
  await using stack = new AsyncDisposableStack();
  const echo: RequestListener = (request, response) => void request.pipe(response);
  const [first, second] = [await serve(stack, says("first")), await serve(stack, echo)];
  const balancer = stack.use(await startBalancer([first, second]));
  const call = async (): Promise<string> =>
    (await fetch(balancer.url, { method: "POST", body: "as it was sent" })).text();
  expect([await call(), await call()].sort()).toEqual(["as it was sent", "first"]);
  balancer.takeOut(second);
  expect([await call(), await call()]).toEqual(["first", "first"]);
  balancer.putBack(second);
  expect(new Set([await call(), await call()])).toEqual(new Set(["first", "as it was sent"]));
  expect(failedAnswers(balancer)).toEqual([]);
});

test("no answer, an answer that breaks off and an error of the API are failed calls; 503 is not", async () => {
  await using stack = new AsyncDisposableStack();
  const halves: RequestListener = (_request, response) => {
    response.writeHead(200, { "content-length": "10" }).write("half");
    setImmediate(() => response.destroy());
  };
  const backends = {
    refused: `http://127.0.0.1:${await freePort()}`,
    halves: await serve(stack, halves),
    broken: await serve(stack, says("", 500)),
    busy: await serve(stack, says("", 503)),
  };
  for (const [name, backend] of Object.entries(backends)) {
    const balancer = stack.use(await startBalancer([backend]));
    const answer = await fetch(balancer.url)
      .then((response) => response.text().then(() => response.status))
      .catch(() => 0);
    const failed = failedAnswers(balancer).map(([what]) => what);
    const expected = { refused: ["no answer: ECONNREFUSED"], halves: ["broke off"], broken: ["500"], busy: [] };
    expect({ name, failed }).toEqual({ name, failed: expected[name as keyof typeof expected] });
    expect(answer).not.toBe(200);
  }
});
