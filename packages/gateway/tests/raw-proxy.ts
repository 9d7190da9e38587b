// The network access of a sandbox in this process, used byte by byte: what malicious programs send, and no library
// does.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { listening } from "@dari/testkit";
import { openEgress, proxyPort } from "../src/open-egress.ts";
import type { EgressOptions, EgressRecord } from "../src/traffic.ts";

export interface RawProxy {
  readonly records: readonly EgressRecord[];
  connect(): Socket;
  /** Opens a tunnel whose TLS ends in the proxy. */
  tunnel(host: string, port: number): Promise<Duplex>;
  /** Ends a turn, after which another may follow. */
  settle(): void;
  close(): void;
}

export async function openRawProxy(options: EgressOptions): Promise<RawProxy> {
  const slotDir = mkdtempSync(join(tmpdir(), "egress-test-"));
  const records: EgressRecord[] = [];
  const egress = openEgress({ ...options, onConnection: (record) => void records.push(record) }, slotDir);
  const server = createServer();
  egress.serve(proxyPort, server);
  const port = await listening(server);
  return {
    records,
    connect: () => connect(port, "127.0.0.1"),
    async tunnel(host, at) {
      const socket = connect(port, "127.0.0.1");
      socket.write(`CONNECT ${host}:${at} HTTP/1.1\r\n\r\n`);
      await once(socket, "data");
      const ca = readFileSync(join(egress.trustDir!, "authority.pem"));
      const secured = connectTls({ socket, servername: host, ca });
      await once(secured, "secureConnect");
      return secured;
    },
    settle: () => egress.settle(),
    close() {
      egress.close();
      rmSync(slotDir, { recursive: true, force: true });
    },
  };
}

/** Returns everything received until the other end closes. */
export async function answerTo(socket: Duplex, sent: string): Promise<string> {
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(sent);
  await new Promise((closed) => socket.once("close", closed));
  return answer;
}

/** Returns a request as text, for its own connection unless `headers` say otherwise. */
export function written(line: string, headers: readonly string[] = [], body = ""): string {
  const usual = headers.some((header) => /^connection:/i.test(header)) ? [] : ["connection: close"];
  return [`${line} HTTP/1.1`, "host: other.example", ...usual, ...headers, "", body].join("\r\n");
}
