// Headers that say something more about a reply.

import type { Response } from "express";

/** Sets the headers, unless the reply has begun: what a stream's own calls find out has no place in its headers. */
export function setUnlessSent(response: Response, headers: Readonly<Record<string, string>>): void {
  if (!response.headersSent) response.set(headers);
}
