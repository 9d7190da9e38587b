// Sessions in a list: a title that leads to the right place, what it is about, and since when.

import type { ReactNode } from "react";
import { countText, shortId } from "../../data/format.ts";
import { Link } from "../../parts/link.tsx";
import { Ago } from "../../parts/time.tsx";

export interface Item {
  readonly key: string;
  readonly to: string;
  readonly place: { readonly session_id: string; readonly title: string | null; readonly agent_name: string };
  readonly about: ReactNode;
  readonly since: string | null;
}

interface ItemsProps {
  readonly title: string;
  readonly count: number;
  /** A counted number is at least this one if it equals it. */
  readonly countMax: number;
  readonly items: readonly Item[];
  /** The page that has all of them. */
  readonly all?: ReactNode;
}

/** How many items of one kind are shown. */
const shownMax = 5;

export function Items({ title, count, countMax, items, all }: ItemsProps) {
  if (count === 0) return null;
  const shown = items.slice(0, shownMax);
  return (
    <section aria-label={title}>
      <header>
        <h3>
          {title} <span className="count">{count >= countMax ? `${countText(count)}+` : countText(count)}</span>
        </h3>
        {all}
      </header>
      <ul className="items">
        {shown.map(({ key, to, place, about, since }) => (
          <li key={key}>
            <Link data-row className="clip" to={to} title={place.title ?? place.session_id}>
              {place.title ?? shortId(place.session_id)}
            </Link>
            <span className="faint when">{since !== null && <Ago time={since} />}</span>
            <span className="faint clip">
              {place.agent_name} · {about}
            </span>
          </li>
        ))}
      </ul>
      {count > shown.length && <p className="faint">and {countText(count - shown.length)} more</p>}
    </section>
  );
}
