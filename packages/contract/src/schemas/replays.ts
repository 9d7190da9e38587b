// Replays: a completed turn that is run again with the answers of models that it recorded.

import Type, { type Static } from "typebox";
import { idInput, idOutput, noOtherFields, nullable, timestamp } from "./common.ts";
import { FileChange, laneInput, messageStatus } from "./messages.ts";

export const ReplayMessageRequest = Type.Object(
  {
    version_id: Type.Optional(
      Type.String({ ...idInput("version"), description: "Version that the replay runs on (default: the session's)." }),
    ),
    live: Type.Optional(
      Type.Boolean({
        description:
          "Whether a request without a recorded answer goes to the model (default true). False: such a request is " +
          "refused, and the message fails with `replay_diverged`.",
      }),
    ),
    lane: Type.Optional(laneInput("background")),
  },
  { ...noOtherFields, title: "ReplayMessageRequest" },
);
export type ReplayMessageRequest = Static<typeof ReplayMessageRequest>;

export const RecordingRecord = Type.Object(
  {
    message_id: idOutput("message"),
    session_id: idOutput("session"),
    version_id: idOutput("version"),
    answers: Type.Integer({ minimum: 1, description: "Recorded answers of models." }),
    size_bytes: Type.Integer({ minimum: 0, description: "Their size. It counts in the organization's storage quota." }),
    created_at: timestamp,
    expires_at: timestamp,
  },
  { title: "Recording" },
);
export type RecordingRecord = Static<typeof RecordingRecord>;

const cost = (whose: string) =>
  nullable(
    Type.Integer({
      minimum: 0,
      description: `Cost of ${whose} in millionths of a US dollar. Null: that of a request is not known.`,
    }),
  );

export const ReplayReport = Type.Object(
  {
    message_id: idOutput("message"),
    replay_of: idOutput("message"),
    version_id: idOutput("version"),
    status: messageStatus,
    is_same: Type.Boolean({
      description: "Whether the replay completed with the same answer and files, and made the same requests to models.",
    }),
    is_answer_changed: Type.Boolean(),
    files_changed: Type.Array(FileChange, {
      description:
        "How the workspace differs from the one after the original turn: `created` is only in the replay, `deleted` " +
        "only in the original. Empty if the replay has not completed.",
    }),
    are_requests_changed: Type.Boolean(),
    requests: Type.Object(
      {
        original: Type.Integer({ description: "Requests of the original turn that got an answer." }),
        recorded: Type.Integer({ description: "Requests of the replay that got a recorded answer." }),
        live: Type.Integer({ description: "Requests of the replay that went to a model." }),
        first_live: nullable(Type.Integer({ description: "Position of the first of these in the turn." })),
      },
      { title: "ReplayRequests" },
    ),
    original_cost_microusd: cost("the original turn"),
    cost_microusd: cost("the replay"),
  },
  { title: "ReplayReport" },
);
export type ReplayReport = Static<typeof ReplayReport>;
