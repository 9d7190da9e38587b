// Says why a request to a model does not fit into the limits of its message.

import type { ReservationResult } from "@dari/db";
import { microPerDollar, modelRequestLimits, showUsd, type ReachedLimit, type Scrubber } from "@dari/domain";
import type { RequestToAdmit } from "@dari/gateway";

export interface Limits {
  readonly requests: number;
  readonly tokens: number | undefined;
  readonly costUsd: number | undefined;
}

/** For the agent, and for the message's error. `advice`: what to do about it, with its punctuation. */
export interface RefusalText {
  readonly text: string;
  readonly advice: string;
}

type Refused = Pick<RequestToAdmit, "host" | "model" | "tokensMax">;

export function describeRefusal(
  limits: Limits,
  found: ReservationResult,
  { host, model, tokensMax }: Refused,
  scrubber: Scrubber,
): RefusalText {
  switch (found.outcome) {
    case "requests": {
      const made = `${show(found.requests)} of ${show(limits.requests)}`;
      const isMost = limits.requests === modelRequestLimits.requestsPerMessageMax;
      const advice = isMost ? ", the most that a message with limits can make" : `; ${raise("requests")}`;
      return { text: `limit reached: the message has made ${made} requests to models`, advice };
    }
    case "cost": {
      const { cost, unknownCost, maxCost, askedCost } = found;
      const used = `limit reached: ${usd(cost)} of the message's ${usd(maxCost ?? 0)} are used or reserved`;
      const open = unknownCost === 0 ? "" : ` (${usd(unknownCost)} by requests whose cost is not known: ${how})`;
      const next = askedCost === null ? "" : `, and this request can cost up to ${usd(askedCost)}`;
      return { text: `${used}${open}${next}`, advice: `; ${raise("cost_usd")}, ${lower}` };
    }
    case "price": {
      // The agent chose the name.
      const named = `the model ${scrubber.text(model ?? "")} of ${host}`;
      const advice =
        "; let an operator import one (dari operator prices import), or use limits.tokens in place of limits.cost_usd";
      return { text: `the cost of the message is limited, and ${named} has no price`, advice };
    }
    case "tokens":
    case "reserved": {
      const { tokens, unknown } = found;
      const all = show(limits.tokens ?? 0);
      const used = `limit reached: ${show(tokens)} of the message's ${all} tokens are used or reserved`;
      const open = unknown === 0 ? "" : ` (${show(unknown)} by requests whose use is not known: ${how})`;
      const next = tokensMax === null ? "" : `, and this request can use up to ${show(tokensMax)}`;
      return { text: `${used}${open}${next}`, advice: `; ${raise("tokens")}, ${lower}` };
    }
  }
}

/** Returns the limit that a higher one would lift. Undefined: none would. */
export function reachedLimitOf(
  { outcome, requests, tokens, cost, askedCost }: ReservationResult,
  { tokensMax }: Refused,
): Pick<ReachedLimit, "limit" | "used" | "requested"> | undefined {
  if (outcome === "requests") return { limit: "requests", used: requests, requested: 1 };
  if (outcome === "tokens") return { limit: "tokens", used: tokens, requested: tokensMax };
  if (outcome !== "cost") return undefined;
  const requested = askedCost === null ? null : askedCost / microPerDollar;
  return { limit: "cost_usd", used: cost / microPerDollar, requested };
}

const how = "set max_tokens, and include_usage for streams";
const lower = "or set a lower maximum of the answer (max_tokens)";

function raise(name: string): string {
  return `raise limits.${name} in dari.yml, or in the request that sends the message`;
}

function usd(micro: number): string {
  return showUsd(micro / microPerDollar);
}

function show(count: number): string {
  return count.toLocaleString("en");
}
