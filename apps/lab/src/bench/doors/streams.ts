// Streams as browsers have them: many at once, each on a connection of its own.

import { request } from "node:http";

interface Api {
  readonly apiUrl: string;
  readonly apiKey: string;
}

/** Sends a request and reads its reply to the end. `body` undefined: a GET. @throws if the status is not 200 */
export function readStream(
  { apiUrl, apiKey }: Api,
  path: string,
  body: object | undefined,
  onText: (chunk: string) => void,
): Promise<void> {
  const content = body === undefined ? "" : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${apiKey}`,
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(content) }),
  };
  return new Promise((resolve, reject) => {
    const options = { method: body === undefined ? "GET" : "POST", headers, agent: false } as const;
    const sent = request(`${apiUrl}${path}`, options, (response) => {
      response.setEncoding("utf8");
      if (response.statusCode === 200) response.on("data", onText);
      else response.once("data", (text: string) => reject(new Error(`${path}: ${response.statusCode} ${text}`)));
      response.once("error", reject);
      response.once("end", () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`)),
      );
    });
    sent.once("error", reject);
    sent.end(content);
  });
}

/** What one stream has shown of a turn of the null agent. */
export interface UiStreamSeen {
  readonly sessionId: string;
  /** The numbers of the agent's events, in order. */
  readonly numbers: readonly number[];
  /** How long after the agent sent it each event arrived that was sent after the stream was open. */
  readonly delaysMs: readonly number[];
  /** The type of the last chunk. */
  readonly last: string | undefined;
  readonly ended: Promise<void>;
}

/** How many streams begin at the same time. */
const opening = 50;

/** A session, and the key or token to read it with. */
export interface StreamPlace extends Api {
  readonly sessionId: string;
}

/** Opens a stream of each session's running turn. Resolves when each has shown its first chunk. */
export async function openUiStreams(places: readonly StreamPlace[]): Promise<readonly UiStreamSeen[]> {
  const streams: UiStreamSeen[] = [];
  for (let first = 0; first < places.length; first += opening) {
    const next = places.slice(first, first + opening).map(openUiStream);
    await Promise.all(next.map(({ opened }) => opened));
    streams.push(...next.map(({ seen }) => seen));
  }
  return streams;
}

interface Chunk {
  readonly type: string;
  readonly data?: { readonly n: number; readonly at: number };
}

function openUiStream(place: StreamPlace): { readonly seen: UiStreamSeen; readonly opened: Promise<void> } {
  const numbers: number[] = [];
  const delaysMs: number[] = [];
  let last: string | undefined;
  let openedAt: number | undefined;
  let rest = "";
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const take = (line: string): void => {
    if (!line.startsWith("data: {")) return;
    const { type, data } = JSON.parse(line.slice("data: ".length)) as Chunk;
    last = type;
    if (type !== "data-step" || data === undefined) return;
    numbers.push(data.n);
    if (openedAt !== undefined && data.at > openedAt) delaysMs.push(Date.now() - data.at);
  };
  const ended = readStream(place, `/v1/sessions/${place.sessionId}/ai-sdk/stream`, undefined, (chunk) => {
    openedAt ??= Date.now();
    const lines = (rest + chunk).split("\n\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
    resolve();
  });
  ended.then(resolve, reject);
  const seen = {
    sessionId: place.sessionId,
    numbers,
    delaysMs,
    get last() {
      return last;
    },
    ended,
  };
  return { seen, opened };
}

/** Returns what is wrong with a stream of a turn that sends `events` events; empty if nothing is. */
export function judgeUiStream({ sessionId, numbers, last }: UiStreamSeen, events: number): string[] {
  const wrong = numbers.findIndex((number, index) => number !== index + 1);
  if (wrong !== -1) return [`the stream of ${sessionId} has event ${numbers[wrong]} out of its place`];
  if (numbers.length !== events) return [`the stream of ${sessionId} has ${numbers.length} of ${events} events`];
  return last === "finish" ? [] : [`the stream of ${sessionId} ended with ${last}`];
}
