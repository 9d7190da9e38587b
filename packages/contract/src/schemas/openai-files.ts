// OpenAI's Files API as this platform accepts it: uploaded files under OpenAI's names.

import Type, { type Static } from "typebox";
import { integerText, noOtherFields, nullable, oneOf } from "./common.ts";

const purposes = ["user_data", "assistants", "vision"] as const;

/** The form's fields beside the file. */
export const CreateOpenAiFileForm = Type.Object(
  {
    purpose: Type.Unsafe<(typeof purposes)[number]>({
      anyOf: [{ type: "string", enum: [...purposes] }],
      "x-expected": "'user_data', 'assistants' or 'vision': files are only input for agents",
      description: "Has no effect. Every file is shown with the purpose `user_data`.",
    }),
  },
  noOtherFields,
);

export const OpenAiFile = Type.Object({
  id: Type.String({ examples: ["file_01jx5m0k8c3f7q2v9t4w6y8z1a"] }),
  object: Type.Literal("file"),
  bytes: Type.Integer(),
  created_at: Type.Integer({ description: "Unix time, in seconds." }),
  filename: Type.String(),
  purpose: Type.Literal("user_data"),
  status: Type.Literal("processed"),
});
export type OpenAiFile = Static<typeof OpenAiFile>;

export const openAiFilesQuery = Type.Object({
  limit: Type.Optional(integerText(1, 10_000, "Files per page (default 10000). A page has at most 500.")),
  after: Type.Optional(Type.String({ maxLength: 64, description: "`last_id` of the previous page." })),
  order: Type.Optional(oneOf(["desc"])),
  purpose: Type.Optional(
    Type.Unsafe<string>({ ...oneOf(purposes), description: "Has no effect: every file can be any of them." }),
  ),
});

export const OpenAiFiles = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(OpenAiFile),
  first_id: nullable(Type.String()),
  last_id: nullable(Type.String()),
  has_more: Type.Boolean(),
});
export type OpenAiFiles = Static<typeof OpenAiFiles>;

export const OpenAiFileDeleted = Type.Object({
  id: Type.String(),
  object: Type.Literal("file"),
  deleted: Type.Literal(true),
});
