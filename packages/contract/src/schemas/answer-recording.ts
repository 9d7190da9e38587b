// Whether an organization allows that answers of models are recorded.

import { answerRecordings } from "@dari/domain";
import Type, { type Static } from "typebox";
import { noOtherFields, oneOf } from "./common.ts";

export const AnswerRecordingSetting = Type.Object(
  {
    mode: Type.Unsafe<(typeof answerRecordings)[number]>({
      ...oneOf(answerRecordings),
      description:
        "`allowed`: if an agent's dari.yml asks for it (`retries.record_answers`). `never`: whatever dari.yml says.",
    }),
  },
  { ...noOtherFields, title: "AnswerRecordingSetting" },
);
export type AnswerRecordingSetting = Static<typeof AnswerRecordingSetting>;
