// A program that tries to connect in every way it knows, and reports each result on its channel.
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

const verbs = { connect, tunnel, get, post, fetch: plainFetch };
const said = [];
for (const [verb, ...args] of JSON.parse(process.argv[2])) said.push(await verbs[verb](...args));
say(said);
