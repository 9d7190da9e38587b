// One turn: its conversation, its changed files, and its actions.

import { memo } from "react";
import { listRunNames } from "../../data/run-usage.ts";
import type { Turn } from "../../data/transcript.ts";
import { Link } from "../../parts/link.tsx";
import { Status } from "../../parts/status.tsx";
import { Ago } from "../../parts/time.tsx";
import { Asked } from "./asked-input.tsx";
import { Changes } from "./changes.tsx";
import { Said } from "./message-parts.tsx";
import { TurnActions } from "./turn-actions.tsx";

interface TurnProps {
  readonly turn: Turn;
  readonly sessionId: string;
  /** True while the platform cannot be reached, so that the turn's state is unknown. */
  readonly isAway: boolean;
}

const openStatuses: readonly string[] = ["queued", "running", "waiting_for_input"];

/** Drawn again only if the turn changes: a conversation has many, and one of them grows. */
export const TurnView = memo(function TurnView({ turn, sessionId, isAway }: TurnProps) {
  const isUnknown = isAway && openStatuses.includes(turn.status);
  return (
    <li className={turn.isRolledBack ? "turn rolled-back" : "turn"} data-status={turn.status}>
      <Said turn={turn} sessionId={sessionId} />
      {turn.status === "waiting_for_input" && <Asked messageId={turn.messageId} />}
      <Changes messageId={turn.messageId} filesChanged={turn.filesChanged} canDiff={turn.status === "completed"} />
      <footer>
        <Link data-row to={`/messages/${turn.messageId}`} aria-label="Details of this message">
          Details
        </Link>
        {turn.status !== "completed" && <Status of={isUnknown ? "reconnecting" : turn.status} />}
        {turn.isRolledBack && <span className="status off">rolled back</span>}
        {turn.attempts.length > 1 && <span className="faint">attempt {listRunNames(turn.attempts).at(-1)}</span>}
        <span className="faint">
          {turn.endUser !== undefined && `${turn.endUser}, `}
          <Ago time={turn.createdAt} />
        </span>
        <TurnActions turn={turn} sessionId={sessionId} />
      </footer>
    </li>
  );
});
