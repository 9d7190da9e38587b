// Answers the queries for names of one sandbox. Asks no other name server: each name has an address of the sandbox's
// own, and is resolved once a connection to it is allowed. So no data leaves by queries.

import type { Socket as UdpSocket } from "node:dgram";
import type { NameTable } from "./name-table.ts";

/** Queries without extensions have at most this many bytes, and with them hardly more. */
const queryBytesMax = 1_232;
const headerBytes = 12;
const nameBytesMax = 255;
const labelBytesMax = 63;
/** How long a program may use an answer, in seconds. The address stays the same. */
const ttlSeconds = 60;

const code = { ok: 0, malformed: 1, failed: 2, noName: 3, unsupported: 4 } as const;
const [typeA, classInternet] = [1, 1];

/** `onExhausted`: called with the first name for which no address is left. */
export function serveNames(socket: UdpSocket, names: NameTable, onExhausted: (name: string) => void): void {
  let isExhausted = false;
  const noteExhausted = (name: string): void => {
    if (!isExhausted) onExhausted(name);
    isExhausted = true;
  };
  socket.on("message", (query, { address, port }) => {
    const answer = answerQuery(query, names, noteExhausted);
    if (answer !== undefined && port > 0) socket.send(answer, port, address);
  });
}

/** Returns the answer to a query; undefined if there must be none. */
export function answerQuery(query: Buffer, names: NameTable, onExhausted?: (name: string) => void): Buffer | undefined {
  if (query.length < headerBytes || query.length > queryBytesMax) return undefined;
  const flags = query.readUInt16BE(2);
  // An answer to an answer could go on forever.
  if ((flags & 0x8000) !== 0) return undefined;
  if ((flags & 0x7800) !== 0) return answerWith(query, code.unsupported);
  const question = query.readUInt16BE(4) === 1 ? readQuestion(query) : undefined;
  if (question === undefined) return answerWith(query, code.malformed);
  const { name, type, end } = question;
  const asked = query.subarray(headerBytes, end);
  if (!isHostName(name)) return answerWith(query, code.noName, asked);
  // Without an address of another kind, programs use the one of IPv4.
  if (type !== typeA || question.class !== classInternet) return answerWith(query, code.ok, asked);
  const address = isLocalhost(name) ? "127.0.0.1" : names.addressOf(name);
  if (address === undefined) {
    onExhausted?.(name);
    return answerWith(query, code.failed, asked);
  }
  return answerWith(query, code.ok, asked, address);
}

interface Question {
  /** In lower case, without a final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly end: number;
}

function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > labelBytesMax || at - headerBytes + length >= nameBytesMax) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  const end = at + 4;
  if (end > query.length) return undefined;
  const name = labels.join(".").toLowerCase();
  return { name, type: query.readUInt16BE(at), class: query.readUInt16BE(at + 2), end };
}

/** Refuses addresses, which are not names, and what is in no host's name. */
function isHostName(name: string): boolean {
  const labels = name.split(".");
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label)) && !/^\d+$/.test(labels.at(-1)!);
}

function isLocalhost(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

function answerWith(query: Buffer, result: number, question: Buffer = Buffer.of(), address?: string): Buffer {
  const head = Buffer.alloc(headerBytes);
  query.copy(head, 0, 0, 2);
  // A response, with the query's kind and wish for recursion, which is available.
  head.writeUInt16BE(0x8080 | (query.readUInt16BE(2) & 0x7900) | result, 2);
  head.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  return Buffer.concat([head, question, address === undefined ? Buffer.of() : recordOf(address)]);
}

function recordOf(address: string): Buffer {
  const record = Buffer.alloc(16);
  // The name is the question's.
  record.writeUInt16BE(0xc0_00 | headerBytes, 0);
  record.writeUInt16BE(typeA, 2);
  record.writeUInt16BE(classInternet, 4);
  record.writeUInt32BE(ttlSeconds, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split(".").map(Number), 12);
  return record;
}
