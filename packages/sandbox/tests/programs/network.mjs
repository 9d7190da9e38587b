// A program that tries to connect in every way it knows, and reports each result on its channel.
import { execFile } from "node:child_process";
import dgram from "node:dgram";
import dns from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { request } from "node:http";

const channel = new net.Socket({ fd: 3, readable: true, writable: true });
const say = (value) => channel.write(`${JSON.stringify(value)}\n`);

const proxy = new URL(process.env.HTTP_PROXY ?? "http://127.0.0.1:3128");

/** Directly, without the proxy. */
const connect = (host, port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port), timeout: 3_000 });
    const end = (word) => (socket.destroy(), resolve(word));
    socket.once("connect", () => end("connected"));
    socket.once("timeout", () => end("timeout"));
    socket.once("error", (error) => end(error.code));
  });

/** A tunnel through the proxy: its status, and the first data through it. */
const tunnel = (authority, hello = "") =>
  new Promise((resolve) => {
    const asked = request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: authority });
    asked.once("error", (error) => resolve([error.code]));
    asked.once("connect", (response, socket, head) => {
      if (response.statusCode !== 200) return resolve([response.statusCode]);
      socket.write(hello);
      socket.once("data", (data) => (socket.destroy(), resolve([200, String(data)])));
      socket.once("close", () => resolve([200, "closed"]));
      if (head.length > 0) resolve([200, String(head)]);
    });
    asked.end();
  });

/** A plain request through the proxy. */
const get = (url, headers = {}) =>
  new Promise((resolve) => {
    const asked = request({ host: proxy.hostname, port: proxy.port, path: url, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve([response.statusCode, text]);
    });
    asked.once("error", (error) => resolve([error.code]));
    asked.end();
  });

const post = (url, bytes) =>
  new Promise((resolve) => {
    const asked = request({ host: proxy.hostname, port: proxy.port, method: "POST", path: url }, async (response) => {
      let text = "";
      try {
        for await (const chunk of response) text += chunk;
        resolve([response.statusCode, text]);
      } catch (error) {
        resolve([error.code]);
      }
    });
    asked.once("error", (error) => resolve([error.code]));
    asked.end(Buffer.alloc(Number(bytes)));
  });

const plainFetch = async (url) => {
  try {
    const response = await fetch(url);
    return [response.status, await response.text()];
  } catch (error) {
    return [error.cause?.code ?? error.message];
  }
};

/** Directly: the first data after `hello`, or the error. */
const talk = (host, port, hello = "") =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port) });
    socket.once("data", (data) => (socket.destroy(), resolve(String(data))));
    socket.once("error", (error) => resolve(error.code));
    socket.once("end", () => resolve("ended"));
    socket.write(hello);
  });

/** Opens connections and keeps them. */
const hold = async (host, port, count) => {
  for (let i = 0; i < count; i++) {
    const socket = net.connect({ host, port: Number(port) });
    const first = once(socket, "data");
    socket.write("hello");
    await first;
  }
  return "held";
};

const lookup = (host) => dns.lookup(host, { all: true }).catch((error) => error.code);
const resolve = (kind, host) => dns.resolve(host, kind).catch((error) => error.code);

/** Sends each datagram, in base64, to the name server. */
const datagrams = async (port, sent) => {
  const socket = dgram.createSocket("udp4").on("error", () => {});
  for (const one of sent) await new Promise((done) => socket.send(Buffer.from(one, "base64"), port, "127.0.0.1", done));
  socket.close();
};

/** How many UDP datagrams came to a socket here, including those for which it had no room. */
const arrived = () => {
  const [names, values] = readFileSync("/proc/net/snmp", "utf8")
    .match(/^Udp: .*$/gm)
    .map((line) => line.split(" "));
  return ["InDatagrams", "RcvbufErrors"].reduce((sum, name) => sum + Number(values[names.indexOf(name)]), 0);
};

/** Sends `count` datagrams that are not answered, as fast as it can. Returns how many came to the name server. */
const flood = async (count) => {
  const before = arrived();
  const socket = dgram.createSocket("udp4").on("error", () => {});
  for (let i = 0; i < count; i++) await new Promise((done) => socket.send("x", 53, "127.0.0.1", done));
  socket.close();
  return arrived() - before;
};

const listen = (kind, port, host = "127.0.0.1") =>
  new Promise((resolve) => {
    const socket = kind === "udp" ? dgram.createSocket("udp4") : net.createServer();
    socket.once("error", (error) => resolve(error.code));
    socket.once("listening", () => (socket.close(), resolve("listening")));
    if (kind === "udp") socket.bind(port, host);
    else socket.listen(port, host);
  });

/** Without the proxy, whatever the environment says. */
const secureGet = (url, headers, options = {}) =>
  new Promise((resolve) => {
    const checked = options.servername === undefined ? {} : { checkServerIdentity: () => undefined };
    const given = { agent: new https.Agent(), headers, ...checked, ...options };
    const asked = https.request(url, given, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve([response.statusCode, text]);
    });
    asked.once("error", (error) => resolve([error.code]));
    asked.end();
  });

const run = (file, ...args) =>
  new Promise((resolve) => {
    execFile(file, args, (error, stdout, stderr) =>
      resolve(error === null ? stdout.trim() : stderr.trim().slice(-300)),
    );
  });

/** Sends the last byte at once, and returns everything that comes afterwards. */
const halfClose = (host, port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port, allowHalfOpen: true });
    let text = "";
    socket.on("data", (data) => (text += data)).once("end", () => resolve(text));
    socket.once("error", (error) => resolve(error.code));
    socket.end("hello");
  });

/** Sends one datagram, and returns the kernel's answer. */
const datagramTo = (host, port) =>
  new Promise((resolve) => {
    const socket = dgram.createSocket("udp4");
    const end = (word) => (socket.close(), resolve(word));
    socket.once("error", (error) => end(error.code)).once("message", () => end("answered"));
    socket.connect(port, host, (error) => (error ? end(error.code) : socket.send("hello")));
  });

/**
 * Opens `count` connections at once, and keeps those that work until all others have ended. Returns how many worked,
 * and the errors of others besides resets.
 */
const storm = async (host, port, count) => {
  const { address } = await dns.lookup(host);
  const sockets = Array.from({ length: count }, () => net.connect({ host: address, port }));
  const errors = new Set();
  const ends = sockets.map(
    (socket) =>
      new Promise((resolve) => {
        socket.once("data", () => resolve("works")).on("error", (error) => errors.add(error.code));
        socket.once("close", () => resolve("ended"));
        socket.write("hello");
      }),
  );
  const ended = await Promise.all(ends);
  for (const socket of sockets) socket.destroy();
  const others = [...errors].filter((code) => code !== "ECONNRESET" && code !== "EPIPE");
  return [ended.filter((end) => end === "works").length, others];
};

/** Like `talk`, until it is not reset. The worker needs a moment to see that other connections have ended. */
const talkAgain = async (host, port, hello) => {
  for (let left = 1_000; left > 0; left--) {
    const answer = await talk(host, port, hello);
    if (answer !== "ECONNRESET") return answer;
  }
  return "ECONNRESET";
};

/** Lets a server send without reading any of it, while it exchanges `count` messages with another. */
const stall = async (host, port, other, count) => {
  const stalled = net.connect({ host, port }).on("error", () => {});
  await once(stalled, "connect");
  stalled.pause().write("go");
  const socket = net.connect({ host, port: other });
  for (let i = 0; i < count; i++) {
    socket.write("x");
    await once(socket, "data");
  }
  return "stalled";
};

/** Asks for the addresses of `count` names. What the kernel drops is asked for again. Returns the number of answers. */
const manyNames = async (count) => {
  const socket = dgram.createSocket("udp4").on("error", () => {});
  const answered = new Set();
  socket.on("message", (answer) => answered.add(answer.readUInt16BE(0)));
  for (let first = 0; answered.size < count; first = (first + 50) % count) {
    for (let id = first; id < Math.min(first + 50, count); id++) {
      if (answered.has(id)) continue;
      const name = Buffer.from(`\x06n${String(id).padStart(5, "0")}\x07example\0\0\x01\0\x01`, "latin1");
      const query = Buffer.concat([Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), name]);
      socket.send(query, 53, "127.0.0.1");
    }
    await new Promise((later) => setTimeout(later, 20));
  }
  socket.close();
  return answered.size;
};

const direct = { talk, hold, lookup, resolve, datagrams, flood, listen, secureGet, run };
const hostile = { halfClose, datagramTo, storm, talkAgain, stall, manyNames };
const verbs = { connect, tunnel, get, post, fetch: plainFetch, ...direct, ...hostile };
const said = [];
for (const [verb, ...args] of JSON.parse(process.argv[2])) said.push(await verbs[verb](...args));
say(said);
