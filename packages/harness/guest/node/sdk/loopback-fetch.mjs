// A fetch without a time limit for a server on this machine. Node's own fetch fails after 300 s without headers or
// body, and uses the proxy.

import { Agent, request as send } from "node:http";
import { Readable } from "node:stream";

/** A server that is stopped between two turns would close idle connections when it continues. */
const agent = new Agent({ keepAlive: false });
const bodyless = [204, 205, 304];

/** Fetches like `fetch`, without a time limit, over plain HTTP. `given.signal` aborts it. */
export async function fetchLoopback(input, init) {
  const given = new Request(input, init);
  const body = given.body === null ? undefined : Buffer.from(await given.arrayBuffer());
  const headers = { ...Object.fromEntries(given.headers), ...(body && { "content-length": body.length }) };
  return new Promise((resolve, reject) => {
    const { method, signal, url } = given;
    const sent = send(url, { method, headers, signal, agent });
    sent.once("error", reject);
    sent.once("response", (answer) => resolve(toResponse(answer)));
    sent.end(body);
  });
}

function toResponse(answer) {
  const { statusCode: status, statusMessage: statusText, rawHeaders } = answer;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at], rawHeaders[at + 1]);
  const isBodyless = bodyless.includes(status);
  if (isBodyless) answer.resume();
  return new Response(isBodyless ? null : Readable.toWeb(answer), { status, statusText, headers });
}
