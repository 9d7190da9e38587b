// Where clients upload to the object store. The bytes can be replaced while the URL is valid, so no row refers to them:
// they are checked, copied under another key, and deleted; otherwise they are swept.

import type { SignedUrls } from "@dari/blobs";
import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";

export function stagingKey(organizationId: string, id: string): string {
  return `${organizationId}/uploads/${id}`;
}

/** @throws AppError `conflict` if clients cannot reach the object store. */
export function requireSignedUrls({ blobs: { signedUrls } }: Control): SignedUrls {
  if (signedUrls !== undefined) return signedUrls;
  throw new AppError(
    "conflict",
    "clients of this installation cannot reach its object store; use `POST /v1/files` and `GET /v1/files/{id}/content`",
  );
}
