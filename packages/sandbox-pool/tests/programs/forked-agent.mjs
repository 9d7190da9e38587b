// An agent that does what its prompt says, to show what a fork of its process is. It draws numbers before the fork as
// well.

import childProcess from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { Worker } from "node:worker_threads";
import zlib from "node:zlib";
// Some packages keep the function.
const keptRandom = Math.random;
fs.writeSync(1, "loaded\n");
console.log("with console");
(Math.random(), randomUUID(), randomInt(9));
await fs.promises.readFile("/proc/self/stat");
let turns = 0;

async function fetchOften(times) {
  const server = http.createServer((_, response) => response.end("served")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  let last;
  for (let i = 0; i < times; i += 1) last = await (await fetch("http://127.0.0.1:" + server.address().port)).text();
  server.close();
  server.closeAllConnections();
  return last;
}

const does = {
  numbers: () => [
    Math.random(),
    keptRandom(),
    randomUUID(),
    randomInt(2 ** 40),
    crypto.getRandomValues(new Uint32Array(1))[0],
  ],
  self: async () => ({
    pid: process.pid,
    real: Number((await fs.promises.readFile("/proc/self/stat", "utf8")).split(" ")[0]),
    turns: (turns += 1),
    cwd: process.cwd(),
    argv: process.argv.length,
    execArgv: process.execArgv,
    files: fs.readdirSync("."),
    tmp: fs.readdirSync("/tmp", { withFileTypes: true }).filter((one) => one.isFile()).length,
  }),
  async works() {
    const fetched = await fetchOften(1);
    const spawned = await new Promise((resolve) => {
      const child = childProcess.spawn("/bin/echo", ["spawned"]);
      let said = "";
      child.stdout.on("data", (data) => (said += data));
      child.on("close", (code) => resolve(said.trim() + code));
    });
    const worker = await new Promise((resolve, reject) => {
      const code = "require('node:worker_threads').parentPort.postMessage('threaded')";
      new Worker(code, { eval: true }).once("message", resolve).once("error", reject);
    });
    const zipped = await new Promise((resolve) => zlib.gzip(Buffer.alloc(1e5), (_, data) => resolve(data.length > 50)));
    const digest = (await crypto.subtle.digest("SHA-256", Buffer.from("a"))).byteLength;
    const wasm = (await WebAssembly.compile(Buffer.from("AGFzbQEAAAA=", "base64"))).constructor.name;
    const late = await new Promise((resolve) => setTimeout(resolve, 5, "late"));
    const kept = [];
    for (let i = 0; i < 200; i += 1) kept.length > 20 ? kept.splice(0) : kept.push(new Array(1e5).fill(i));
    console.log("said");
    return { fetched, spawned, worker, zipped, digest, wasm, late };
  },
  exit: () => process.exit(7),
  throws: () =>
    new Promise(() =>
      setTimeout(() => {
        throw new Error("too late");
      }, 1),
    ),
  rejects: () => new Promise(() => void Promise.reject(new Error("not handled"))),
  async waits() {
    // So often that V8 optimizes the WebAssembly of fetch.
    await fetchOften(400);
    return new Promise(() => {});
  },
};
process.on("exit", (code) => fs.writeSync(1, "exits with " + code + "\n"));
export const agent = async (prompt) => JSON.stringify(await does[prompt]());
