// A Node that reads no proxy variables, made to use a proxy: what goes through it, and what does not.

import { expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("./programs/proxied.mjs", import.meta.url));

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("fetch and http go through the proxy, but for this machine's own servers", async () => {
  const origin = createServer((request, response) => response.end(`origin ${request.url}`));
  const at = await listening(origin);
  const asked: string[] = [];
  const proxy = createServer().on("connect", (request, client) => {
    asked.push(request.url ?? "");
    if (request.url?.startsWith("closed.") === true) return client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const upstream = connect(at, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(upstream).pipe(client);
    });
  });
  const proxyPort = await listening(proxy);
  try {
    const urls = ["http://one.example/a", `http://127.0.0.1:${at}/b`, "http://closed.example:81/c"];
    const argv = [program, `http://127.0.0.1:${proxyPort}`, ...urls];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    const refused: unknown = expect.stringContaining("the proxy answered 403 for closed.example:81");
    expect(JSON.parse(stdout)).toEqual(["origin /a", "origin /a", "origin /b", "origin /b", refused, refused]);
    expect(asked).toEqual(["one.example:80", "one.example:80", "closed.example:81", "closed.example:81"]);
  } finally {
    for (const server of [origin, proxy]) {
      server.closeAllConnections();
      server.close();
    }
  }
});
