// This app's own server. It signs people in and gets them a token for their session. Only it has the API key.

import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";

const {
  DARI_API_URL: apiUrl = "http://127.0.0.1:4870",
  DARI_API_KEY: apiKey,
  DARI_AGENT: agent = "chat-app",
} = process.env;
const { PORT: port = "5173", TOKEN_SECONDS: tokenSeconds = "3600" } = process.env;
const dist = path.join(import.meta.dirname, "dist");
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
};

const pageHeaders = {
  "content-security-policy": `default-src 'self'; connect-src 'self' ${apiUrl}; img-src 'self' data: blob:`,
  "x-content-type-options": "nosniff",
};
if (!apiKey) throw new Error("set DARI_API_KEY: this server gets sessions and tokens with it");

interface Reply {
  status: number;
  headers?: Record<string, string>;
  body: string | Buffer;
}

/** Who is signed in, by the cookie. A real app has its own sign-in, with passwords or an identity provider. */
const people = new Map<string, { id: string; name: string }>();
/** With one more, the oldest sign-in ends. */
const peopleMax = 1_000;

const json = (value: object, status = 200, headers = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(value),
});

/** Calls the platform with the API key. */
async function dari<T>(method: string, route: string, body?: object, headers = {}): Promise<T> {
  const reply = await fetch(apiUrl + route, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`${method} ${route}: ${reply.status} ${await reply.text()}`);
  return (await reply.json()) as T;
}

interface Session {
  id: string;
  status: string;
}

/** Returns the person's session. Two tabs that ask at the same time send the same key, so they get the same one. */
async function sessionOf(userId: string): Promise<string> {
  const query = new URLSearchParams({ agent_id: agent, "metadata.chat_user": userId, limit: "1" });
  const [newest] = (await dari<{ data: Session[] }>("GET", `/v1/sessions?${query}`)).data;
  if (newest?.status === "idle" || newest?.status === "active") return newest.id;
  const create = (key: string): Promise<Session> =>
    dari("POST", `/v1/agents/${agent}/sessions`, { metadata: { chat_user: userId } }, { "idempotency-key": key });
  const key = createHash("sha256").update(`${userId} after ${newest?.id}`).digest("hex");
  // The session that the key made can have been deleted.
  return (await create(key).catch(() => create(randomUUID()))).id;
}

async function answer(request: IncomingMessage): Promise<Reply> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (request.method === "POST" && pathname === "/api/sign-in") {
    // Forms of other sites cannot send this type.
    if (request.headers["content-type"] !== "application/json") return json({ detail: "expected JSON" }, 415);
    if (!(Number(request.headers["content-length"]) <= 10_000))
      return json({ detail: "the request is too large" }, 413);
    const { name } = JSON.parse(await text(request)) as { name?: unknown };
    if (typeof name !== "string" || !/^\P{C}{1,100}$/u.test(name.trim())) {
      return json({ detail: "expected a name of 1 to 100 characters" }, 422);
    }
    const key = randomUUID();
    people.set(key, { id: name.trim().toLowerCase(), name: name.trim() });
    if (people.size > peopleMax) people.delete(people.keys().next().value ?? "");
    // Behind https, add `Secure`.
    return json({}, 200, { "set-cookie": `chat=${key}; HttpOnly; SameSite=Strict; Path=/; Max-Age=86400` });
  }
  if (request.method === "POST" && pathname === "/api/token") {
    const person = people.get(/(?:^|; )chat=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "");
    if (!person) return json({ detail: "not signed in" }, 401);
    const sessionId = await sessionOf(person.id);
    const wanted = { expires_in: Number(tokenSeconds), end_user: person };
    const { token } = await dari<{ token: string }>("POST", `/v1/sessions/${sessionId}/tokens`, wanted);
    return json({ apiUrl, sessionId, token });
  }
  // A URL has no `..` left in it, and its escapes are not decoded here.
  const file = pathname === "/" ? "/index.html" : pathname;
  const body = await readFile(path.join(dist, file)).catch(() => undefined);
  if (!body) return { status: 404, body: "not found" };
  return { status: 200, headers: { ...pageHeaders, "content-type": types[path.extname(file)] ?? "text/plain" }, body };
}

const server = createServer((request, response) => {
  void answer(request)
    .catch((error: unknown) => {
      console.error(error);
      return json({ detail: "the server failed; its log says why" }, 500);
    })
    .then(({ status, headers, body }) => response.writeHead(status, headers).end(body));
});
// Everyone can be anyone here: replace the sign-in before other machines can reach this server.
server.listen(Number(port), "127.0.0.1", () => console.log(`http://localhost:${port}`));
