// A fetch for a server on this machine that may think for as long as the turn lasts. Node's own fetch fails once a
// server has sent nothing for 300 s, headers or body, and it goes through the proxy.

import { Agent, request as send } from "node:http";
import { Readable } from "node:stream";

/** A server that stood still between two turns would close what was kept open when it goes on. */
const agent = new Agent({ keepAlive: false });
const bodyless = [204, 205, 304];

/** Like `fetch`, without a time limit, over plain HTTP. `given.signal` ends it. */
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
