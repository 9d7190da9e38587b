// A model server at a known host, which counts the requests of each turn and signs its answers, and agents that check
// the signatures.

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
import { startOpenaiServer, type ModelReply, type ModelRequest } from "@dari/testkit";
import type { BundleFiles } from "../src/bundle.ts";
import { manifestFile } from "../src/conversation.ts";

const name = "api.openai.com";
/** The number of requests of an undisturbed turn. */
export const requestsOfTurn = 8;

export interface CountingModel extends AsyncDisposable {
  /** With its port. */
  readonly host: string;
  /** What a fleet needs so that its workers reach the host on this machine. */
  readonly env: Readonly<Record<string, string>>;
  /** Returns how many requests the turn has made. A turn is named by its message. */
  asked(turn: string): number;
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

export async function counting(): Promise<CountingModel> {
  const dir = mkdtempSync(join(tmpdir(), "dari-counting-"));
  const counts = new Map<string, number>();
  const held = new Map<string, Held>();
  let total = 0;

  async function pass(point: string): Promise<void> {
    const found = held.get(point);
    found?.reached.resolve();
    await found?.released.promise;
  }
  const models = await startOpenaiServer(async (asked): Promise<ModelReply> => {
    const turn = turnOf(asked);
    counts.set(turn, (counts.get(turn) ?? 0) + 1);
    total += 1;
    const number = answersIn(asked) + 1;
    await pass(`${turn} during ${number}`);
    return replyTo(asked, number);
  });
  const server = await listen(dir, models.port, pass);
  const { port } = server.address() as AddressInfo;
  const host = `${name}:${port}`;
  return {
    host,
    env: { DARI_EGRESS_ALLOW: host, ...hostsHere(dir) },
    asked: (turn) => counts.get(turn) ?? 0,
    total: () => total,
    hold(turn, number, when) {
      const point = { reached: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
      held.set(`${turn} ${when} ${number}`, point);
      return { reached: point.reached.promise, release: () => point.released.resolve() };
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await models[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Serves the model's API over TLS, and `/at/<point>`, where agents wait after an answer. */
async function listen(dir: string, modelPort: number, pass: (point: string) => Promise<void>): Promise<Server> {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=models", "-addext", `subjectAltName=DNS:${name}`];
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
    const forwarded = request({ port: modelPort, host: "127.0.0.1", path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    incoming.pipe(forwarded);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Makes workers reach the host on this machine. Operators cannot: they allow private services by address. */
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
const { resolve4 } = dns.Resolver.prototype;
const { connect } = net;
dns.Resolver.prototype.resolve4 = function (name) {
  return name === "${name}" ? Promise.resolve(["8.8.8.8"]) : resolve4.call(this, name);
};
net.connect = (options, ...rest) => options?.host === "${name}"
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

/** The first text of the user. */
function turnOf(asked: ModelRequest): string {
  const first = itemsOf(asked).find((item) => item["role"] === "user")?.["content"];
  return typeof first === "string" ? first : String((first as readonly Item[])[0]?.["text"]);
}

/** The number of answers that the conversation has. */
function answersIn(asked: ModelRequest): number {
  return itemsOf(asked).filter((item) => item["role"] === "assistant" || item["type"] === "function_call").length;
}

const signatureOf = (asked: ModelRequest): string =>
  createHash("sha256")
    .update(JSON.stringify(itemsOf(asked)))
    .digest("hex");

/** The plain agents check the signature. An agent of an SDK calls its tool until its last request. */
function replyTo(asked: ModelRequest, number: number): ModelReply {
  if (asked.path.endsWith("/completions")) return { text: `${number} ${signatureOf(asked)}` };
  if (number < requestsOfTurn) return { toolCalls: [{ name: "note", arguments: { number } }] };
  return { text: `noted ${asked.text.match(/kept \d+/g)?.join(", ")}` };
}

interface CountingAgent {
  readonly title: string;
  /** Whether the tests that need one agent use this one. */
  readonly isFirst: boolean;
  files(model: CountingModel, retries: object): BundleFiles;
}

const plain = ({ host }: CountingModel): string => `
import { createHash, randomUUID } from "node:crypto";
const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" };
const post = async (path, body) => (await fetch("https://${host}" + path, { method: "POST", headers, body })).text();
export async function agent(prompt, context) {
  const messages = [{ role: "user", content: prompt }];
  if (prompt === "differs") messages.push({ role: "user", content: "attempt " + context.attempt });
  const numbers = [];
  for (let number = 1; number <= ${requestsOfTurn}; number++) {
    const text = await post("/v1/chat/completions", JSON.stringify({ model: "m", user: randomUUID(), messages }));
    const { content } = JSON.parse(text).choices[0].message;
    const [said, signature] = content.split(" ");
    const expected = createHash("sha256").update(JSON.stringify(messages)).digest("hex");
    if (signature !== expected || said !== String(number)) throw new Error("the answer is to another request: " + text);
    messages.push({ role: "assistant", content });
    numbers.push(said);
    await post("/at/" + encodeURIComponent(prompt + " after " + number), "");
  }
  return numbers.join(" ");
}`;

const openaiAgents = ({ host }: CountingModel): string => `
import { Agent, run, tool } from "@openai/agents";
import { z } from "zod";
export async function agent(prompt) {
  let last = 0;
  const at = async (number) => {
    const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\` };
    const url = "https://${host}/at/" + encodeURIComponent(prompt + " after " + number);
    await (await fetch(url, { method: "POST", headers })).text();
  };
  const note = tool({
    name: "note",
    description: "Notes a number.",
    parameters: z.object({ number: z.number() }),
    async execute({ number }) {
      if (number !== last + 1) throw new Error("the answer is to another request: " + number);
      last = number;
      await at(number);
      return "kept " + number;
    },
  });
  const agent = new Agent({ name: "noter", model: "gpt-5", tools: [note], toolUseBehavior: "run_llm_again" });
  const result = await run(agent, prompt, { stream: true, maxTurns: 20 });
  for await (const _event of result);
  await at(${requestsOfTurn});
  return String(result.finalOutput);
}`;

const manifest = (retries: object, rest: object): { "dari.yml": string } =>
  manifestFile({ sdk: "function", secrets: ["OPENAI_API_KEY"], retries, ...rest });
const sdkEnv = ({ host }: CountingModel): Record<string, string> => ({
  OPENAI_BASE_URL: `https://${host}/v1`,
  OPENAI_AGENTS_DISABLE_TRACING: "1",
});

export const countingAgents: readonly CountingAgent[] = [
  {
    title: "a plain function",
    isFirst: true,
    files: (model, retries) => ({ ...manifest(retries, { entrypoint: "agent.mjs:agent" }), "agent.mjs": plain(model) }),
  },
  {
    title: "an agent of @openai/agents",
    isFirst: false,
    files: (model, retries) => ({
      ...manifest(retries, { entrypoint: "agent.mjs:agent", env: sdkEnv(model) }),
      "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
      "agent.mjs": openaiAgents(model),
    }),
  },
];
