// Calls the platform with the session token, which this app's own server gets with the API key.

export interface Access {
  apiUrl: string;
  sessionId: string;
  token: string;
}

let access: Promise<Access> | undefined;

/** Throws if the person is not signed in. */
export function getAccess(): Promise<Access> {
  access ??= fetch("/api/token", { method: "POST" }).then(
    async (reply) => {
      if (!reply.ok) throw new Refusal(reply.status, `this app's server answered ${reply.status}`);
      return (await reply.json()) as Access;
    },
    () => {
      throw new Refusal(0, "cannot reach this app's server");
    },
  );
  access.catch(() => (access = undefined));
  return access;
}

/** What the platform says is wrong. The status is 0 if it could not be reached. */
export class Refusal extends Error {
  status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

/** Whether the same call may succeed in a moment. */
export function isPassing(error: unknown): boolean {
  return error instanceof Refusal && (error.status === 0 || error.status >= 500 || error.status === 429);
}

/**
 * `fetch` of the platform, which throws a `Refusal`. A token that has ended is replaced, and the call is sent again: it
 * did nothing.
 */
export async function fetchDari(path: string | URL | globalThis.Request, init: RequestInit = {}): Promise<Response> {
  const used = getAccess();
  let reply = await fetchWith(await used, path, init);
  if (reply.status === 401) {
    if (access === used) access = undefined;
    reply = await fetchWith(await getAccess(), path, init);
  }
  if (reply.ok) return reply;
  const { detail } = (await reply.json().catch(() => ({}))) as { detail?: string };
  throw new Refusal(reply.status, detail ?? `the platform answered ${reply.status}`);
}

function fetchWith(
  { apiUrl, token }: Access,
  path: string | URL | globalThis.Request,
  init: RequestInit,
): Promise<Response> {
  const url = new URL(String(path), apiUrl);
  if (url.origin !== new URL(apiUrl).origin) throw new Error(`${url.origin} must not get the token`);
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(url, { ...init, headers }).catch((error: Error) => {
    if (!(error instanceof TypeError)) throw error;
    throw new Refusal(0, `cannot reach ${apiUrl}; does it allow pages of ${location.origin}?`);
  });
}

export async function readDari<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await fetchDari(path, init)).json()) as T;
}

/** Uploads a file, and returns it as a part of a message. */
export async function upload(file: File) {
  const body = new FormData();
  body.set("file", file);
  const { id } = await readDari<{ id: string }>("/v1/files", { method: "POST", body });
  const mediaType = file.type || "application/octet-stream";
  return { type: "file" as const, mediaType, filename: file.name, url: `/v1/files/${id}/content` };
}

/** Saves a file of the session. A link cannot do that, because it sends no token. */
export async function download(path: string, filename: string): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await fetchDari(path)).blob());
  link.download = filename;
  link.click();
  URL.revokeObjectURL(link.href);
}
