// The address of a link that signs in. The secret follows the `#`, which browsers do not send: it is in no log, proxy
// or referrer, and a program that fetches the page opens nothing.

import type { Control } from "@dari/control/context";

export function joinLink(control: Control, secret: string): string {
  return `${control.publicUrl}/console/join#${secret}`;
}
