// A link within the console that loads no document. With a modifier key it is an ordinary link.

import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { goTo, hrefOf } from "../data/route.ts";

interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> {
  /** A place, such as `/sessions`. */
  readonly to: string;
}

export function Link({ to, ...rest }: LinkProps) {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    goTo(to);
  };
  return <a {...rest} href={hrefOf(to)} onClick={follow} />;
}
