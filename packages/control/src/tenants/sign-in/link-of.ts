// The address of a link that signs in. What it opens stands behind the `#`, which browsers send to nobody: no log, no
// proxy and no referrer has it, and a program that only looks at the page opens nothing.

import type { Control } from "@dari/control/context";

export function linkOf(control: Control, secret: string): string {
  return `${control.publicUrl}/console/join#${secret}`;
}
