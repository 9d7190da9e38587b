// Puts real values in for placeholders: in the headers of requests that carry credentials, and nowhere else.

import type { IncomingHttpHeaders } from "node:http";
import { isEgressHost, type EgressHost, type Redacted } from "@dari/domain";

/** What a program has a placeholder of. */
export interface EgressSecret {
  readonly placeholder: string;
  readonly value: Redacted<string>;
  /** Where the value may go. */
  readonly hosts: readonly EgressHost[];
}

/** `name`: in lower case, without the root's dot. */
export function secretsFor(secrets: readonly EgressSecret[], name: string, port: number): EgressSecret[] {
  return secrets.filter(({ hosts }) => hosts.some((host) => isEgressHost(host, name, port)));
}

/**
 * Only in such: servers repeat others in what they answer (`Origin`, `X-Request-Id`, the path in a redirect), and a
 * program could read the value there.
 */
const carriesCredentials = /(^|[-_])(authorization|auth|api-?key|key|token|secret|password|credentials?)$/;
const isRepeated = /^(idempotency-key|sec-.*)$/;

/** @throws never; a value that no header can hold is refused by whoever sends the headers. */
export function substitute(headers: IncomingHttpHeaders, secrets: readonly EgressSecret[]): IncomingHttpHeaders {
  const put = (text: string): string =>
    secrets.reduce((all, { placeholder, value }) => all.replaceAll(placeholder, () => value.reveal()), text);
  const changed = Object.entries(headers).map(([name, value]): [string, string | string[] | undefined] => {
    if (value === undefined || !carriesCredentials.test(name) || isRepeated.test(name)) return [name, value];
    if (typeof value !== "string") return [name, value.map(put)];
    return [name, inBasic(value, put) ?? put(value)];
  });
  return Object.fromEntries(changed);
}

/** User and password together are base64: a placeholder within is found in neither. */
function inBasic(value: string, put: (text: string) => string): string | undefined {
  const [, scheme, coded] = /^(basic +)([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? [];
  if (coded === undefined) return undefined;
  const pair = Buffer.from(coded, "base64").toString("latin1");
  const changed = put(pair);
  return changed === pair ? undefined : `${scheme}${Buffer.from(changed, "latin1").toString("base64")}`;
}
