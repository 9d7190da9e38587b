// If a turn failed, logs which variables of dari.yml contain an address that agents cannot reach. Programs that an
// agent starts rarely report which address refused their connection.

import { isIP } from "node:net";
import type { Turn } from "@dari/control/turns";
import { decideEgress, isPublicAddress } from "@dari/network";
import type { WorkerContext } from "../../context.ts";
import { createEgressPolicy } from "./create-egress-policy.ts";
import type { LogRecorder } from "../recorders/record-logs.ts";

const valueCharsMax = 2_048;

/** `stderrTail`: the end of the agent's stderr. Addresses that it already reports as refused are not logged again. */
export function logUnreachableHosts(
  { settings, guarantees }: Pick<WorkerContext, "settings" | "guarantees">,
  turn: Pick<Turn, "egress" | "manifest" | "keptSecrets">,
  logs: LogRecorder,
  stderrTail: string,
): void {
  if (guarantees.network !== "enforced") return;
  const policy = createEgressPolicy(settings.egress, turn);
  for (const [name, value] of Object.entries(turn.manifest.env)) {
    const target = privateTarget(value);
    if (target === undefined || stderrTail.includes(`egress: ${target.host}:${target.port} refused`)) continue;
    const { host, port } = target;
    const decision = decideEgress(policy, host, port);
    if (decision.allowed && decision.exact) continue;
    const reason = host === "127.0.0.1" ? "in a sandbox, this is the sandbox itself" : "this is a private address";
    const remedy = `an operator can allow it with DARI_EGRESS_ALLOW=${host}:${port}`;
    logs.add("platform", `egress: ${name} names ${host}:${port}: ${reason}; ${remedy}\n`);
  }
}

/** Returns the target of a URL if it is loopback or another private address. */
function privateTarget(value: string): { host: string; port: number } | undefined {
  if (value.length > valueCharsMax || !/^[a-z][a-z0-9+.-]*:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  const { hostname, port, protocol } = new URL(value);
  const host = hostname === "localhost" || hostname === "[::1]" ? "127.0.0.1" : hostname;
  const number = Number(port || { "http:": 80, "https:": 443 }[protocol]);
  if (Number.isNaN(number) || isIP(host) === 0 || isPublicAddress(host)) return undefined;
  return { host, port: number };
}
