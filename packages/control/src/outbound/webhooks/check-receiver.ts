// Checks which receivers an organization may use, as far as the URL shows. Each attempt checks the resolved address, by
// the same rules as agents' connections.

import type { ReceiverPolicy } from "@dari/control/context";
import {
  decideEgress,
  EgressRuleError,
  isPublicAddress,
  normalizeHost,
  parseEgressRules,
  type EgressRule,
} from "@dari/network";
import { isIP } from "node:net";
import { invalidField } from "@dari/domain";

export const publicReceivers: ReceiverPolicy = { mode: "open", rules: [] };

/**
 * Reads `127.0.0.1:8080, hooks.internal:443`: receivers that can be private, each with its port.
 * @throws EgressRuleError for the wrong entry.
 */
export function parseReceiverPolicy(text: string): ReceiverPolicy {
  return { mode: "open", rules: parseEgressRules(text).map(toExact) };
}

function toExact(rule: EgressRule): EgressRule {
  if (rule.kind !== "name") return rule;
  const { name, port, subdomains } = rule;
  if (subdomains || port === undefined) {
    throw new EgressRuleError(`${name}: expected address:port or name:port, as in 127.0.0.1:8080`);
  }
  return { kind: "service", name, port };
}

export interface Receiver {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
}

const wantsTls = "expected https:// (for development, operators can allow the receiver with DARI_WEBHOOK_ALLOW)";

/** `field`: the request's name for the URL. @throws AppError `invalid` that says what is wrong with it. */
export function checkReceiver(text: string, policy: ReceiverPolicy, field = "url"): Receiver {
  const refuse = (message: string): Error => invalidField(field, message);
  if (!URL.canParse(text)) throw refuse("expected a URL, for example https://example.com/hooks");
  const receiver = parseReceiver(text);
  const { url, host, port } = receiver;
  if (url.username !== "" || url.password !== "") throw refuse("expected a URL without user name and password");
  if (url.hash !== "") throw refuse("expected a URL without a fragment");
  const decision = decideEgress(policy, host, port);
  const isExact = decision.allowed && decision.exact;
  if (url.protocol !== "https:" && !(isExact && url.protocol === "http:")) throw refuse(wantsTls);
  if (!decision.allowed) throw refuse(decision.reason);
  if (!isExact && !mayBePublic(host)) throw refuse("expected a public address");
  return receiver;
}

/** `text`: the URL of an existing or new endpoint. */
export function parseReceiver(text: string): Receiver {
  const url = new URL(text);
  return { url, host: normalizeHost(url.hostname), port: Number(url.port || (url.protocol === "https:" ? 443 : 80)) };
}

function mayBePublic(host: string): boolean {
  if (isIP(host) !== 0) return isPublicAddress(host);
  return host.includes(".") && !host.endsWith(".localhost");
}
