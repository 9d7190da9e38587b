// A request of an agent to a model, as the platform metered it.

import { modelFormats, modelRequestLimits, unpricedReasons, unreadReasons } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf, timestamp } from "./common.ts";

const tokens = (description: string) =>
  nullable(Type.Integer({ minimum: 0, description: `${description} Null: the provider did not report it.` }));

export const ModelRequestRecord = Type.Object(
  {
    attempt_id: idOutput("attempt"),
    ordinal: Type.Integer({ minimum: 1, description: "Position among the attempt's requests." }),
    requests: Type.Integer({
      minimum: 1,
      description:
        `1. If an attempt made more than ${modelRequestLimits.rowsPerAttempt} requests, its last row has the sums of ` +
        "the other requests, and this is their number.",
    }),
    host: nullable(Type.String({ examples: ["api.openai.com"], description: "Null in a row of several requests." })),
    format: nullable(oneOf(modelFormats)),
    model: nullable(Type.String({ description: "As the answer names it." })),
    status: nullable(Type.Integer({ description: "HTTP status of the answer. Null: there was none." })),
    input_tokens: tokens("Tokens of the request, including those that the provider cached."),
    cached_input_tokens: tokens("Of these, tokens that the provider read from its cache."),
    cache_write_tokens: tokens("Of these, tokens that the provider wrote to its cache."),
    output_tokens: tokens("Tokens of the answer, including reasoning."),
    reasoning_tokens: tokens("Of these, reasoning."),
    reserved_tokens: nullable(
      Type.Integer({
        minimum: 0,
        description:
          "The most tokens that it could use, reserved before it was sent. Null: no limit of tokens applied to it.",
      }),
    ),
    reserved_cost_microusd: nullable(
      Type.Integer({
        minimum: 0,
        description:
          "The most that it could cost, in millionths of a US dollar, reserved before it was sent. Null: no limit of " +
          "cost applied to it.",
      }),
    ),
    finish_reason: nullable(Type.String({ description: "In the provider's words.", examples: ["stop", "end_turn"] })),
    duration_ms: Type.Integer({ minimum: 0, description: "From the request to the end of its answer." }),
    is_complete: Type.Boolean({ description: "Whether the answer was read to its end." }),
    unread: nullable(
      Type.Unsafe<(typeof unreadReasons)[number]>({
        ...oneOf(unreadReasons),
        description:
          "Why the platform stopped reading. The counts are then what was read before. " +
          "Null: it read all, or the connection ended early.",
      }),
    ),
    cost_microusd: nullable(
      Type.Integer({
        minimum: 0,
        description:
          "Cost of the reported tokens in millionths of a US dollar, by the operators' price list that was in force " +
          "when the row was stored. Null: not known; `unpriced` says why.",
      }),
    ),
    unpriced: nullable(
      Type.Unsafe<(typeof unpricedReasons)[number]>({
        ...oneOf(unpricedReasons),
        description:
          "Why there is no cost. `no_price`: the list had no price for this host and model. `no_tokens`: the " +
          "provider reported none. `sum`: the row has the sums of several requests.",
      }),
    ),
    is_recorded: Type.Boolean({
      description:
        "Whether the agent got the answer that an earlier attempt had recorded (`retries.record_answers`). No model " +
        "was asked, and no tokens are counted.",
    }),
    created_at: timestamp,
  },
  { title: "ModelRequest" },
);
export type ModelRequestRecord = Static<typeof ModelRequestRecord>;
