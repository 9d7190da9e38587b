// Makes the question with which a message asks for a higher limit.

import {
  limits,
  microPerDollar,
  modelRequestLimits,
  showUsd,
  type MessageLimits,
  type ReachedLimit,
} from "@dari/domain";

/** What the message waits for, in the form of an agent's question. */
export interface AskedLimit {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly prompt: string;
  readonly waitSeconds: number;
  readonly budget: ReachedLimit;
}

interface LimitKind {
  readonly type: "integer" | "number";
  readonly max: number;
  /** What a request takes at least. */
  readonly least: number;
  show(value: number): string;
}

const counted = (max: number): LimitKind => ({ type: "integer", max, least: 1, show: (n) => n.toLocaleString("en") });

/** The limits of messages. */
const kinds: Readonly<Record<keyof MessageLimits, LimitKind>> = {
  requests: counted(modelRequestLimits.requestsPerMessageMax),
  tokens: counted(modelRequestLimits.tokensPerMessageMax),
  cost_usd: {
    ...{ type: "number", max: modelRequestLimits.usdPerMessageMax, least: 1 / microPerDollar },
    show: showUsd,
  },
};

/**
 * Returns the question for a limit that the message has. Its schema offers all limits of the message, none of them
 * lower than now. The default of the reached one is twice its value, or what the request needs. `text`: says what was
 * reached. Returns undefined if no limit is high enough for the request.
 */
export function askForLimit(
  own: MessageLimits,
  { limit, used, requested, text }: Omit<ReachedLimit, "value" | "needed"> & { readonly text: string },
): AskedLimit | undefined {
  const { max, least, show } = kinds[limit];
  const value = own[limit];
  // Sums of dollars are not exact.
  const needed = Math.round((used + (requested ?? least)) * microPerDollar) / microPerDollar;
  if (value === undefined || needed > max) return undefined;
  const proposed = Math.min(max, Math.max(2 * value, needed));
  const offers = (Object.keys(kinds) as (keyof MessageLimits)[]).flatMap((name): [string, object][] => {
    const current = own[name];
    if (current === undefined) return [];
    const [minimum, initial] = name === limit ? [needed, proposed] : [current, current];
    const { type, max: maximum } = kinds[name];
    return [[name, { type, title: `New limit of ${name}`, minimum, maximum, default: initial }]];
  });
  return {
    schema: {
      type: "object",
      properties: {
        approved: { type: "boolean", title: "Raise the limit" },
        ...(Object.fromEntries(offers) as object),
        reason: { type: "string", title: "Reason", maxLength: limits.inputPromptChars },
      },
      required: ["approved"],
      additionalProperties: false,
    },
    prompt: `${text}. Approve to raise it to ${show(proposed)}, or give another limit of at least ${show(needed)}.`,
    waitSeconds: limits.inputWaitSecondsDefault,
    budget: { limit, value, used, requested, needed },
  };
}
