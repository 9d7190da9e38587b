// Uploaded files, and the files of a session's workspace.

import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf, timestamp } from "./common.ts";

export const FileRecord = Type.Object(
  {
    id: idOutput("file"),
    filename: Type.String(),
    size_bytes: Type.Integer(),
    content_type: Type.String(),
    sha256: Type.String(),
    created_at: timestamp,
  },
  { title: "File" },
);
export type FileRecord = Static<typeof FileRecord>;

export const DirectoryEntry = Type.Object(
  {
    path: Type.String({ description: "Absolute, rooted at the workspace." }),
    type: oneOf(["file", "directory", "symlink"]),
    size_bytes: nullable(Type.Integer()),
  },
  { title: "DirectoryEntry" },
);
export type DirectoryEntry = Static<typeof DirectoryEntry>;

export const DirectoryListing = Type.Object(
  { path: Type.String(), entries: Type.Array(DirectoryEntry) },
  { title: "DirectoryListing" },
);
export type DirectoryListing = Static<typeof DirectoryListing>;
