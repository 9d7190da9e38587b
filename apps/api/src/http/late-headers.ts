// Headers that say something more about a reply.

import type { Response } from "express";

/** Sets the headers, unless the reply has begun: a stream's headers are sent before its calls are made. */
export function setUnlessSent(response: Response, headers: Readonly<Record<string, string>>): void {
  if (!response.headersSent) response.set(headers);
}
