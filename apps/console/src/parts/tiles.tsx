// Tiles with figures, and bars that show how much of a limit is used.

import type { ReactNode } from "react";
import { shareOf } from "../data/format.ts";

export function Tiles({ children }: { readonly children: ReactNode }) {
  return <dl className="tiles">{children}</dl>;
}

interface TileProps {
  readonly label: string;
  readonly value: ReactNode;
  readonly says?: ReactNode;
  readonly tone?: "plain" | "wait" | "bad";
}

export function Tile({ label, value, says, tone = "plain" }: TileProps) {
  return (
    <div className={`tile ${tone}`}>
      <dt>{label}</dt>
      <dd>
        <span className="figure">{value}</span>
        <span className="faint">{says ?? "\u00a0"}</span>
      </dd>
    </div>
  );
}

interface GaugeProps {
  readonly label: string;
  readonly used: number;
  /** Null if there is no limit. */
  readonly most: number | null;
  readonly say: (amount: number) => string;
}

/** From this share of a limit on, the bar warns. */
const nearShare = 0.8;

/** `12 of 50` above a bar, or only the used amount if there is no limit. */
export function Gauge({ label, used, most, say }: GaugeProps) {
  if (most === null) return <span className="gauge none">{say(used)}</span>;
  const share = shareOf(used, most);
  const tone = share >= 1 ? "full" : share >= nearShare ? "near" : "";
  return (
    <span className={`gauge ${tone}`}>
      <span>
        {say(used)} <span className="faint">of {say(most)}</span>
      </span>
      <span
        className="track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={most}
        aria-valuenow={Math.min(used, most)}
        aria-valuetext={`${say(used)} of ${say(most)}`}
      >
        <span className="fill" style={{ width: `${share * 100}%` }} />
      </span>
    </span>
  );
}
