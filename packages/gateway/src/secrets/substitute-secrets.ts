// Replaces placeholders by real values, only in request headers that carry credentials.

import type { IncomingHttpHeaders } from "node:http";
import { isEgressHost, Redacted, type EgressHost } from "@dari/domain";

/** A secret for which the program has a placeholder. */
export interface EgressSecret {
  /** The secret's name, which other processes know as well: they have other placeholders. */
  readonly name?: string;
  readonly placeholder: string;
  readonly value: Redacted<string>;
  /** The hosts that may get the value. */
  readonly hosts: readonly EgressHost[];
}

/** Returns the secrets for a host. `name`: the host name in lower case, without a trailing dot. */
export function secretsForHost(secrets: readonly EgressSecret[], name: string, port: number): EgressSecret[] {
  return secrets.filter(({ hosts }) => hosts.some((host) => isEgressHost(host, name, port)));
}

/**
 * Placeholders are replaced only in these headers. Servers repeat other headers in their responses (`Origin`,
 * `X-Request-Id`, the path in a redirect) or store them (`X-Amz-Meta-Key`), where a program could read the value.
 */
export const carriesCredentials: ReadonlySet<string> = new Set([
  ...["authorization", "api-key", "apikey", "api-token", "api-secret", "app-key", "access-token", "auth-token"],
  ...["x-api-key", "x-apikey", "x-api-token", "x-api-secret", "x-app-key", "x-app-token", "x-access-token"],
  ...["x-auth-key", "x-auth-token", "x-client-secret", "x-secret-key", "x-service-token", "x-token"],
  // Headers of single services.
  ...["cf-access-client-secret", "circle-token", "dd-api-key", "dd-application-key", "deploy-token", "fastly-key"],
  ...["job-token", "ocp-apim-subscription-key", "private-token", "x-algolia-api-key", "x-auth-user-service-key"],
  ...["x-cg-pro-api-key", "x-cisco-meraki-api-key", "x-cmc_pro_api_key", "x-consul-token", "x-figma-token"],
  ...["x-finnhub-token", "x-functions-key", "x-goog-api-key", "x-hasura-admin-secret", "x-honeycomb-team"],
  ...["x-ibm-client-secret", "x-insert-key", "x-jfrog-art-api", "x-license-key", "x-nomad-token", "x-nuget-apikey"],
  ...["x-octopus-apikey", "x-parse-master-key", "x-parse-rest-api-key", "x-plex-token", "x-postmark-account-token"],
  ...["x-postmark-server-token", "x-query-key", "x-rapidapi-key", "x-redmine-api-key", "x-rollbar-access-token"],
  ...["x-shopify-access-token", "x-subscription-token", "x-tableau-auth", "x-typesense-api-key", "x-vault-token"],
  "xi-api-key",
]);

/** Replaces placeholders in headers. Never throws: a value that a header cannot contain is refused when it is sent. */
export function insertSecrets(headers: IncomingHttpHeaders, secrets: readonly EgressSecret[]): IncomingHttpHeaders {
  const put = (text: string): string =>
    secrets.reduce((all, { placeholder, value }) => all.replaceAll(placeholder, () => value.reveal()), text);
  const changed = Object.entries(headers).map(([name, value]): [string, string | string[] | undefined] => {
    if (value === undefined || !carriesCredentials.has(name)) return [name, value];
    if (typeof value !== "string") return [name, value.map(put)];
    return [name, inBasic(value, put) ?? put(value)];
  });
  return Object.fromEntries(changed);
}

/**
 * Replaces placeholders by the names of their secrets, where `insertSecrets` inserts values. Each follows a NUL, which
 * no header that was received contains.
 */
export function nameSecrets(headers: IncomingHttpHeaders, secrets: readonly EgressSecret[]): IncomingHttpHeaders {
  const named = secrets.map((secret) => ({
    ...secret,
    value: new Redacted(`\0${secret.name ?? secret.placeholder}\0`),
  }));
  return insertSecrets(headers, named);
}

/** Replaces placeholders in a Basic header, whose user and password are base64 together, so they are decoded first. */
function inBasic(value: string, put: (text: string) => string): string | undefined {
  const [, scheme, coded] = /^(basic +)([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? [];
  if (coded === undefined) return undefined;
  const pair = Buffer.from(coded, "base64").toString("latin1");
  const changed = put(pair);
  return changed === pair ? undefined : `${scheme}${Buffer.from(changed, "latin1").toString("base64")}`;
}
