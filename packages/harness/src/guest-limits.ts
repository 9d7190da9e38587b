// The limits of one turn that the guest checks itself, so that the agent's call fails and not its turn.

import { limits, stepLimits } from "@dari/domain";

export interface GuestLimits {
  readonly eventBytes: number;
  readonly events: number;
  readonly activityEvents: number;
  readonly activityValueBytes: number;
  /** All previews of an attempt, as JSON. */
  readonly activityPreviewBytes: number;
  /** Values that are sent whole: one, all of an attempt, and how many. */
  readonly valueBytes: number;
  readonly valueBytesPerAttempt: number;
  readonly values: number;
  readonly outputBytes: number;
  readonly frameBytes: number;
  /** Maximum nesting of one line, including its own braces. */
  readonly jsonDepth: number;
  /** Limits of what the agent can ask for. */
  readonly inputSchemaBytes: number;
  readonly inputPromptChars: number;
  readonly inputWaitSeconds: number;
  /** Recorded steps of a message, the JSON of one, and of all. */
  readonly steps: number;
  readonly stepBytes: number;
  readonly stepBytesPerMessage: number;
}

export const guestLimits: GuestLimits = {
  eventBytes: limits.agentEventBytes,
  events: limits.agentEventsPerAttempt,
  activityEvents: limits.activityEventsPerAttempt,
  activityValueBytes: limits.activityValueBytes,
  activityPreviewBytes: limits.activityPreviewBytes,
  valueBytes: limits.valueBytes,
  valueBytesPerAttempt: limits.valueBytesPerAttempt,
  values: limits.valuesPerAttempt,
  outputBytes: limits.outputBytes,
  frameBytes: limits.harnessFrameBytes,
  jsonDepth: limits.agentJsonDepth,
  inputSchemaBytes: limits.inputSchemaBytes,
  inputPromptChars: limits.inputPromptChars,
  inputWaitSeconds: limits.inputWaitSecondsMax,
  steps: stepLimits.perMessage,
  stepBytes: stepLimits.resultBytes,
  stepBytesPerMessage: stepLimits.bytesPerMessage,
};
