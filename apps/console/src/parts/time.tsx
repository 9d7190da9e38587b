// A moment, said relative to now; the exact time is in its title.

import { agoText } from "../data/format.ts";

export function Ago({ time }: { readonly time: string | null }) {
  if (time === null) return <span className="faint">never</span>;
  return (
    <time dateTime={time} title={time}>
      {agoText(time)}
    </time>
  );
}
