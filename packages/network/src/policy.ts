// What a program may connect to, as data, and the decision about a destination before its name is resolved.

import { isIP } from "node:net";
import { isEgressHost, parseEgressHost, type EgressHost, type EgressMode } from "@dari/domain";

export interface EgressPolicy {
  /** `off`: only exact endpoints and services. `allow`: what a rule names. `open`: every public address. */
  readonly mode: EgressMode;
  readonly rules: readonly EgressRule[];
  /** What to do about a refusal by the mode or the rules. */
  readonly advice?: string;
  /** Each of these must also allow a destination, even an exact one. */
  readonly bounds?: readonly EgressBound[];
}

/** Narrows a policy. It never makes a destination exact. */
export interface EgressBound {
  readonly mode: EgressMode;
  readonly hosts: readonly EgressHost[];
  /** Who set the rule, and what to do about a refusal by it. */
  readonly advice: string;
}

export type EgressRule =
  | ({ readonly kind: "name" } & EgressHost)
  /** One address and port that the operator names, private or not. On 127.0.0.1 it is also reached without a proxy. */
  | { readonly kind: "endpoint"; readonly address: string; readonly port: number }
  /** One name and port that the operator trusts. Its addresses may be private. */
  | { readonly kind: "service"; readonly name: string; readonly port: number };

export type EgressDecision =
  /** `exact`: the operator named it with its port, so its address is not checked. */
  { readonly allowed: true; readonly exact: boolean } | { readonly allowed: false; readonly reason: string };

/** An allow-list that cannot be parsed; the message names the entry. */
export class EgressRuleError extends Error {
  override readonly name = "EgressRuleError";
}

const rulesMax = 1_000;
/** Mail abuse ruins the reputation of a shared address for all tenants. */
const closedPorts = new Set([25]);

/**
 * Reads `api.example.com, *.example.com, example.org:8443, 127.0.0.1:8080`. At most 1,000 entries.
 * @throws EgressRuleError
 */
export function parseEgressRules(text: string): EgressRule[] {
  const entries = text
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "");
  if (entries.length > rulesMax) throw new EgressRuleError(`more than ${rulesMax} entries`);
  return entries.map(parseRule);
}

function parseRule(entry: string): EgressRule {
  const [, host = "", portText] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) throw new EgressRuleError(`${entry}: there is no such port`);
  const address = unbracketed(host);
  if (isIP(address) !== 0) {
    if (port === undefined) throw new EgressRuleError(`${entry}: an address needs a port, as in ${host}:443`);
    return { kind: "endpoint", address, port };
  }
  const name = parseEgressHost(entry);
  if (name === undefined) throw new EgressRuleError(`${entry}: expected a name, *.name or address:port`);
  return { kind: "name", ...name };
}

/** Hosts as organizations and manifests write them. An invalid entry is left out, so it allows nothing. */
export function egressHosts(written: readonly string[]): EgressHost[] {
  return written.flatMap((host) => parseEgressHost(host) ?? []);
}

export function decideEgress(policy: EgressPolicy, host: string, port: number): EgressDecision {
  const name = normalizeHost(host);
  const decision = decideUnbounded(policy, name, port);
  if (!decision.allowed) return { allowed: false, reason: withAdvice(policy, decision.reason) };
  const closed = policy.bounds?.find((bound) => !isWithin(bound, name, port));
  return closed === undefined ? decision : { allowed: false, reason: closed.advice };
}

/** Adds the advice to a reason. */
export function withAdvice({ advice }: EgressPolicy, reason: string): string {
  return advice === undefined ? reason : `${reason}; ${advice}`;
}

function decideUnbounded(policy: EgressPolicy, name: string, port: number): EgressDecision {
  if (policy.rules.some((rule) => isExactly(rule, name, port))) return { allowed: true, exact: true };
  if (policy.mode === "off") return { allowed: false, reason: "this agent has no network" };
  if (closedPorts.has(port)) return { allowed: false, reason: `port ${port} is closed` };
  if (policy.mode === "open" || policy.rules.some((rule) => rule.kind === "name" && isEgressHost(rule, name, port))) {
    return { allowed: true, exact: false };
  }
  return { allowed: false, reason: "it is not on the allow-list" };
}

function isWithin({ mode, hosts }: EgressBound, name: string, port: number): boolean {
  return mode === "open" || (mode === "allow" && hosts.some((host) => isEgressHost(host, name, port)));
}

/** Returns the host in lower case, without brackets and final dots: with two of them, a resolver ignores the last. */
export function normalizeHost(host: string): string {
  return unbracketed(host)
    .toLowerCase()
    .replace(/(?<!\.)\.+$/, "");
}

function unbracketed(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

function isExactly(rule: EgressRule, host: string, port: number): boolean {
  if (rule.kind === "name" || rule.port !== port) return false;
  return host === (rule.kind === "endpoint" ? rule.address : rule.name);
}
