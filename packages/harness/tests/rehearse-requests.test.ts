// The rehearsal of an agent's first requests leaves them loaded, and nothing open.

import { expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const path = fileURLToPath(new URL("../guest/node/rehearse-requests.mjs", import.meta.url));
const program = `
const fs = require("node:fs");
const linkOf = (fd) => {
  try {
    return fs.readlinkSync("/proc/self/fd/" + fd);
  } catch {
    return "";
  }
};
const look = () => ({
  isFetchLoaded: process.moduleLoadList.some((name) => name.endsWith("undici/undici")),
  sockets: fs.readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).startsWith("socket:")).length,
  connections: process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length,
  threads: fs.readdirSync("/proc/self/task").length,
});
const pool = () => new Promise((resolve) => fs.stat("/", resolve));
pool().then(() => import(process.argv[1])).then(async ({ rehearseRequests }) => {
  const before = look();
  await rehearseRequests();
  console.log(JSON.stringify({ before, after: look() }));
});
`;

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux("requests are loaded, and no connection, socket or thread is left", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program, path]);
  const { before, after } = JSON.parse(stdout) as { before: object; after: object };
  expect(before).toMatchObject({ isFetchLoaded: false, connections: 0 });
  expect(after).toEqual({ ...before, isFetchLoaded: true });
});
