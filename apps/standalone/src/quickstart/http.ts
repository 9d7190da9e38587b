// The plain HTTP calls of the quickstart. With --verbose, they are shown as the curl command that does the same.

import { command, reply } from "./show.ts";

export interface HttpOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Ends the calls. */
  readonly signal: AbortSignal;
}

export interface Http {
  /** With a JSON content type; `body` undefined sends none. */
  post(path: string, body?: unknown): Promise<Json>;
  upload(path: string, filename: string, content: string): Promise<Json>;
  get(path: string): Promise<Json>;
}

// The replies are shown, and single fields of them read. The contract defines their shapes.
export type Json = Record<string, unknown>;

export function createHttp({ apiUrl, apiKey, signal }: HttpOptions): Http {
  const authorization = { authorization: `Bearer ${apiKey}` };
  const show = (rest: string, path: string): void => {
    command(`curl -s ${rest}-H "Authorization: Bearer $DARI_API_KEY" ${quote(`${apiUrl}${path}`)}`);
  };
  const call = async (path: string, init: RequestInit): Promise<Json> => {
    const response = await fetch(`${apiUrl}${path}`, { ...init, signal });
    const json = (await response.json()) as Json;
    reply(json);
    if (!response.ok) {
      throw new Error(`${init.method ?? "GET"} ${path} answered ${response.status}: ${JSON.stringify(json)}`);
    }
    return json;
  };
  return {
    post(path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      show(`-X POST -H "Content-Type: application/json" ${text === undefined ? "" : `-d '${text}' `}`, path);
      const headers = { ...authorization, "content-type": "application/json" };
      return call(path, { method: "POST", headers, ...(text === undefined ? {} : { body: text }) });
    },
    upload(path, filename, content) {
      show(`-F file=@${filename} `, path);
      const form = new FormData();
      form.append("file", new Blob([content], { type: "text/plain" }), filename);
      return call(path, { method: "POST", headers: authorization, body: form });
    },
    get(path) {
      show("", path);
      return call(path, { headers: authorization });
    },
  };
}

function quote(url: string): string {
  return /[?&]/.test(url) ? `"${url}"` : url;
}
