// Refuses pages of other origins. A page whose name suddenly resolves to this machine (DNS rebinding) sends its own.

import { AppError } from "@dari/domain";
import type { Call } from "../http/call.ts";

/** How much of a refused origin the error shows. */
const shownChars = 200;

/** Programs send no origin. @throws AppError `forbidden` */
export function refuseForeignOrigin({ control, request }: Pick<Call, "control" | "request">): void {
  const origin = request.get("origin");
  if (origin === undefined || origin === new URL(control.publicUrl).origin) return;
  throw new AppError("forbidden", `pages of ${origin.slice(0, shownChars)} cannot call the MCP server; programs can`);
}
