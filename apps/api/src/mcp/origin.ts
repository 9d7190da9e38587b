// Refuses pages that an organization does not know. A page whose name suddenly resolves to this machine (DNS rebinding)
// sends its own origin.

import { getAllowedOrigins } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import type { Call } from "../http/call.ts";

/** How much of a refused origin the error shows. */
const shownChars = 200;

/** Programs send no origin. @throws AppError `forbidden` */
export async function refuseUnknownOrigin({
  control,
  actor,
  request,
}: Pick<Call, "control" | "actor" | "request">): Promise<void> {
  const origin = request.get("origin");
  if (origin === undefined || origin === new URL(control.publicUrl).origin) return;
  const { origins } = await getAllowedOrigins(control, actor.organizationId);
  if (origins.includes(origin)) return;
  throw new AppError(
    "forbidden",
    `pages of ${origin.slice(0, shownChars)} cannot call the MCP server; an admin can add the origin to the ` +
      "organization's allowed origins",
  );
}
