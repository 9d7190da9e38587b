// A program that tries one thing after another, and reports each result on its channel.
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import * as fs from "node:fs";
import net from "node:net";

const channel = new net.Socket({ fd: 3, readable: true, writable: true });
const attempt = (action) => {
  try {
    return action() ?? "done";
  } catch (error) {
    return error.code;
  }
};

const connect = (where) =>
  new Promise((resolve) => {
    const socket = net.connect({ ...where, timeout: 3_000 });
    const end = (word) => (socket.destroy(), resolve(word));
    socket.once("connect", () => end("connected"));
    socket.once("timeout", () => end("timeout"));
    socket.once("error", (error) => end(error.code));
  });

const listen = (...where) =>
  new Promise((resolve) => {
    const server = net.createServer((socket) => socket.end("hello"));
    server.once("error", (error) => resolve(error.code));
    server.listen(...where, () => resolve(server));
  });

const verbs = {
  read: (path) => attempt(() => void fs.readFileSync(path)),
  list: (path) => attempt(() => void fs.readdirSync(path)),
  look: (path) => attempt(() => void fs.lstatSync(path)),
  // Opens for appending and writes nothing: a hole found in a sandbox must not change the host.
  write: (path) => attempt(() => fs.closeSync(fs.openSync(path, "a"))),
  mode: (path) => attempt(() => fs.chmodSync(path, 0o777)),
  times: (path) => attempt(() => fs.utimesSync(path, 1, 1)),
  hardLink: (from, to) => attempt(() => fs.linkSync(from, to)),
  readLinked: (target, name) => attempt(() => void (fs.symlinkSync(target, name), fs.readFileSync(name))),
  move: (from, to) => attempt(() => fs.renameSync(from, to)),
  run: (...argv) => attempt(() => (spawnSync(argv[0], argv.slice(1)).error ?? { code: "done" }).code),
  signal: (pid) => attempt(() => void process.kill(pid, 0)),
  connect: (host, port) => connect({ host, port: port === "proxy" ? new URL(process.env.HTTP_PROXY).port : port }),
  connectPath: (path) => connect({ path }),
  listenAt: async (port) => {
    const server = await listen(port, "127.0.0.1");
    return typeof server === "string" ? server : (server.close(), "listening");
  },
  ownServer: async () => {
    const server = await listen(0);
    const word = await connect({ host: "127.0.0.1", port: server.address().port });
    server.close();
    return word;
  },
  datagram: () =>
    new Promise((resolve) => {
      const socket = dgram.createSocket("udp4");
      socket.once("error", (error) => resolve(error.code));
      socket.bind(0, "127.0.0.1", () => resolve("bound"));
    }),
  user: () => process.getuid(),
};

const said = [];
for (const [verb, ...args] of JSON.parse(process.argv[2])) said.push(await verbs[verb](...args));
channel.write(`${JSON.stringify(said)}\n`);
