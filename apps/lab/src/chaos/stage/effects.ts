// Receives the reports of isolated agents, which cannot access files of this machine, and writes them to files.

import { appendFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import path from "node:path";
import { freePort } from "@dari/embedded";

export interface EffectsServer extends AsyncDisposable {
  /** The address that agents must be allowed to connect to. */
  readonly endpoint: string;
  /** A line that is sent there is in the file once it is answered. */
  urlOf(file: string): string;
}

export async function startEffectsServer(): Promise<EffectsServer> {
  const files = new Map<string, string>();
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    const answer = (status: number): void => void response.writeHead(status).end();
    if (file === undefined) return answer(404);
    text(request)
      .then((line) => appendFile(file, line))
      .then(
        () => answer(200),
        () => answer(500),
      );
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `127.0.0.1:${port}`;
  return {
    endpoint,
    urlOf(file) {
      const place = `/${path.basename(file)}`;
      files.set(place, file);
      return `http://${endpoint}${place}`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
