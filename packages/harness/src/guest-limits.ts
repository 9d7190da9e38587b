// The limits of one turn that the guest checks itself, so that the agent's call fails and not its turn.

import { limits } from "@dari/domain";
import type { GuestLimits } from "./protocol.ts";

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
};
