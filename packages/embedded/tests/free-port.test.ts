// Which ports are found for servers.

import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { freePort, isPortFree } from "../src/index.ts";

test("a free port is free, and no outgoing connection gets it", async () => {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const port = await freePort();
  expect(port).toBeLessThan(Number.parseInt(range));
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  expect(await isPortFree(port)).toBe(false);
  server.close();
  await once(server, "close");
  expect(await isPortFree(port)).toBe(true);
});
