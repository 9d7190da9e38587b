// Whether answers of models may be recorded.

import type { Route } from "./route.ts";
import { AnswerRecordingSetting } from "../schemas/answer-recording.ts";

const path = "/v1/organizations/{organization_id}/answer-recording";

export const answerRecordingRoutes = {
  getAnswerRecording: {
    method: "GET",
    path,
    scope: "admin",
    summary: "Get whether answers of models may be recorded.",
    reply: AnswerRecordingSetting,
    status: 200,
  },
  putAnswerRecording: {
    method: "PUT",
    path,
    scope: "admin",
    summary:
      "Set whether answers of models may be recorded, from the next attempt of each message on. Answers that are " +
      "recorded already stay until their message ends.",
    request: AnswerRecordingSetting,
    reply: AnswerRecordingSetting,
    status: 200,
  },
} as const satisfies Record<string, Route>;
