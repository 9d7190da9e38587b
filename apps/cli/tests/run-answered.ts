// The command against a platform that answers every call with the same reply.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { runDari, temporaryTree, type Run } from "./run-dari.ts";

/** `calls`: method and path of each call, and its body if it had one. */
export type AnsweredRun = Run & { readonly calls: unknown[][] };

/** Runs the command in a directory of `files`. */
export async function runAnswered(
  reply: unknown,
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<AnsweredRun> {
  const calls: unknown[][] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      calls.push([`${request.method} ${request.url}`, ...(body === "" ? [] : [JSON.parse(body) as unknown])]);
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using root = await temporaryTree(files);
  try {
    const environment = { DARI_API_URL: url, DARI_API_KEY: "dari_test" };
    return { ...(await runDari(args, { cwd: root.path, environment })), calls };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
