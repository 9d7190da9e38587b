// A model server at two known hosts, which counts the requests of each turn and signs its answers.

import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { startAnthropicServer, startOpenaiServer, type ModelReply, type ModelRequest } from "@dari/testkit";

const names = ["api.openai.com", "api.anthropic.com"];
/** The number of requests of an undisturbed turn. */
export const requestsOfTurn = 8;
/** Names the turn for the model, in the text that SDKs make of its message. */
const turnName = /counted-[a-z0-9-]+/;

export interface AskedOnce {
  /** Its position in the turn. */
  readonly number: number;
  readonly text: string;
  /** When it arrived, in milliseconds since 1970. */
  readonly at: number;
}

export interface CountingModel extends AsyncDisposable {
  /** Each with its port. */
  readonly openai: string;
  readonly anthropic: string;
  /** What a fleet needs so that its workers reach the hosts on this machine. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Returns the requests that the turn has made. A turn is named by its message. Requests beside the conversation, such
   * as for its title, are not among them.
   */
  requests(turn: string): readonly AskedOnce[];
  asked(turn: string): number;
  /** Returns how many requests beside the conversation the turn has made. */
  aside(turn: string): number;
  total(): number;
  /**
   * Holds the turn's request with this number `during`, before its answer; or its agent `after` the answer. `reached`
   * resolves once it is held.
   */
  hold(turn: string, number: number, when: "during" | "after"): { readonly reached: Promise<void>; release(): void };
}

interface Held {
  readonly reached: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
}

/** `delay`: returns how long the model takes for its next answer, in milliseconds (default: 0). */
export async function counting(delay: () => number = () => 0): Promise<CountingModel> {
  const dir = mkdtempSync(join(tmpdir(), "dari-counting-"));
  const turns = new Map<string, AskedOnce[]>();
  const asides = new Map<string, number>();
  const held = new Map<string, Held>();
  let total = 0;

  async function pass(point: string): Promise<void> {
    const found = held.get(point);
    found?.reached.resolve();
    await found?.released.promise;
  }
  let port = 0;
  async function answer(asked: ModelRequest): Promise<ModelReply> {
    const turn = turnName.exec(asked.text)?.[0] ?? firstText(asked);
    if (isAside(asked)) {
      asides.set(turn, (asides.get(turn) ?? 0) + 1);
      return { text: "A title" };
    }
    const number = answersIn(asked) + 1;
    turns.set(turn, [...(turns.get(turn) ?? []), { number, text: asked.text, at: Date.now() }]);
    total += 1;
    await setTimeout(delay());
    await pass(`${turn} during ${number}`);
    return replyTo(asked, turn, number, port);
  }
  const [openai, anthropic] = [await startOpenaiServer(answer), await startAnthropicServer(answer)];
  const server = await listen(dir, { openai: openai.port, anthropic: anthropic.port }, pass);
  ({ port } = server.address() as AddressInfo);
  return {
    openai: `${names[0]}:${port}`,
    anthropic: `${names[1]}:${port}`,
    env: { DARI_EGRESS_ALLOW: names.map((name) => `${name}:${port}`).join(), ...hostsHere(dir) },
    requests: (turn) => turns.get(turn) ?? [],
    asked: (turn) => turns.get(turn)?.length ?? 0,
    aside: (turn) => asides.get(turn) ?? 0,
    total: () => total,
    hold(turn, number, when) {
      const point = { reached: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
      held.set(`${turn} ${when} ${number}`, point);
      return { reached: point.reached.promise, release: () => point.released.resolve() };
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await openai[Symbol.asyncDispose]();
      await anthropic[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Serves both APIs over TLS, and `/at/<point>`, where agents wait after an answer. */
async function listen(
  dir: string,
  ports: { readonly openai: number; readonly anthropic: number },
  pass: (point: string) => Promise<void>,
): Promise<Server> {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=models", "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`];
  const how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...how, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, response) => {
    const { url = "/", method, headers } = incoming;
    if (url.startsWith("/at/")) {
      const point = decodeURIComponent(url.slice("/at/".length));
      return void textOf(incoming).then(async () => {
        await pass(point);
        response.end("go");
      });
    }
    const port = /^\/v1\/messages\b/.test(url) ? ports.anthropic : ports.openai;
    const forwarded = request({ port, host: "127.0.0.1", path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    incoming.pipe(forwarded);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Makes workers reach the hosts on this machine. Operators cannot: they allow private services by address. */
function hostsHere(dir: string): Record<string, string> {
  const preload = join(dir, "hosts-here.mjs");
  writeFileSync(
    preload,
    `
import dns from "node:dns/promises";
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { syncBuiltinESMExports } from "node:module";
tls.setDefaultCACertificates([
  ...tls.getCACertificates("default"),
  readFileSync(${JSON.stringify(join(dir, "cert.pem"))}, "utf8"),
]);
const isHost = (name) => ${JSON.stringify(names)}.includes(name);
const { resolve4 } = dns.Resolver.prototype;
const { connect } = net;
dns.Resolver.prototype.resolve4 = function (name) {
  return isHost(name) ? Promise.resolve(["8.8.8.8"]) : resolve4.call(this, name);
};
net.connect = (options, ...rest) => isHost(options?.host)
  ? connect({ ...options, host: "127.0.0.1", lookup: undefined }, ...rest)
  : connect(options, ...rest);
syncBuiltinESMExports();
`,
  );
  return { NODE_OPTIONS: `--import=${preload}` };
}

type Item = Readonly<Record<string, unknown>>;

function itemsOf({ body }: ModelRequest): readonly Item[] {
  return (body["messages"] ?? body["input"]) as readonly Item[];
}

/** Returns the first text of the user. */
function firstText(asked: ModelRequest): string {
  const first = itemsOf(asked).find((item) => item["role"] === "user")?.["content"];
  return typeof first === "string" ? first : String((first as readonly Item[])[0]?.["text"]);
}

/** Agents of SDKs have tools. */
function isAside({ body, path }: ModelRequest): boolean {
  const tools = body["tools"];
  return !path.endsWith("/completions") && (!Array.isArray(tools) || tools.length === 0);
}

/** Returns the number of answers that the conversation has. */
function answersIn(asked: ModelRequest): number {
  return itemsOf(asked).filter((item) => item["role"] === "assistant" || item["type"] === "function_call").length;
}

const signatureOf = (asked: ModelRequest): string =>
  createHash("sha256")
    .update(JSON.stringify(itemsOf(asked)))
    .digest("hex");

/** The plain agents check the signature. An agent of an SDK calls its tool until its last request. */
function replyTo(asked: ModelRequest, turn: string, number: number, port: number): ModelReply {
  if (asked.path.endsWith("/completions")) return { text: `${number} ${signatureOf(asked)}` };
  if (number === requestsOfTurn) return { text: `noted ${asked.text.match(/kept \d+/g)?.join(", ")}` };
  const tools = (asked.body["tools"] as readonly Item[]).map(({ name }) => name);
  if (tools.includes("note")) return { toolCalls: [{ name: "note", arguments: { turn, number } }] };
  const name = tools.includes("Bash") ? "Bash" : "bash";
  const host = `${asked.path === "/v1/messages" ? names[1] : names[0]}:${port}`;
  const command = [
    `test "$(cat notes.txt 2> /dev/null | grep -cx '${turn} [0-9]')" = ${number - 1}`,
    `echo '${turn} ${number}' >> notes.txt`,
    `curl -sS -o /dev/null -X POST 'https://${host}/at/${encodeURIComponent(`${turn} after ${number}`)}'`,
    `printf 'kept %s\\n' ${number}`,
  ].join(" && ");
  return { toolCalls: [{ name, arguments: { command, description: "Notes a number" } }] };
}
