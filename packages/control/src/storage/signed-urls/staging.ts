// Where clients put bytes into the object store by themselves. What lies there can be put again while its URL is good,
// so nothing ever names it: it is judged, copied under a key of its own, and deleted, or swept when nobody asks.

import type { SignedUrls } from "@dari/blobs";
import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";

export function stagingKey(organizationId: string, id: string): string {
  return `${organizationId}/uploads/${id}`;
}

/** @throws AppError `conflict` where clients cannot reach the object store. */
export function requireSignedUrls({ blobs: { signedUrls } }: Control): SignedUrls {
  if (signedUrls !== undefined) return signedUrls;
  throw new AppError(
    "conflict",
    "clients of this installation cannot reach its object store; use `POST /v1/files` and `GET /v1/files/{id}/content`",
  );
}
