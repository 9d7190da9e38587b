// Whether answers of models may be recorded.

import { getAnswerRecording, putAnswerRecording } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";

export const answerRecordingHandlers: Handlers<"getAnswerRecording" | "putAnswerRecording"> = {
  async getAnswerRecording({ control, params }) {
    return getAnswerRecording(control, params.organization_id);
  },

  async putAnswerRecording({ control, actor, params, body }) {
    return putAnswerRecording(control, actor, params.organization_id, body);
  },
};
