// What can be done with one turn: stop it, try it again, start over from it.

import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { goTo } from "../../data/route.ts";
import type { Turn } from "../../data/transcript.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

interface TurnActionsProps {
  readonly turn: Pick<Turn, "messageId" | "status" | "isRolledBack">;
  readonly sessionId: string;
}

export function TurnActions({ turn: { messageId, status, isRolledBack }, sessionId }: TurnActionsProps) {
  const { client } = useAccount();
  const [isAsked, setAsked] = useState(false);
  const cancel = useAction(async () => void (await client.cancelMessage(messageId)));
  const retry = useAction(async () => void (await client.retryMessage(messageId)));
  const rollBack = useAction(async () => void (await client.rollBackSession(sessionId, messageId)));
  const fork = useAction(async () => {
    goTo(`/sessions/${(await client.forkSession(sessionId, { message_id: messageId })).id}`);
  });
  const isOver = status === "completed" || status === "failed" || status === "cancelled";
  const canReturn = status === "completed" && !isRolledBack;
  return (
    <>
      <span className="actions">
        {!isOver && <Small label="Cancel" does={cancel.run} isBusy={cancel.isRunning} />}
        {status === "failed" && <Small label="Retry" does={retry.run} isBusy={retry.isRunning} />}
        {canReturn && <Small label="Fork from here" does={fork.run} isBusy={fork.isRunning} />}
        {canReturn && <Small label="Roll back to here" does={() => setAsked(true)} isBusy={rollBack.isRunning} />}
      </span>
      <ErrorNote error={cancel.error ?? retry.error ?? fork.error ?? rollBack.error} />
      {isAsked && (
        <Confirm
          title="Roll back to here?"
          says="Conversation and files go back to what they were after this message. Later ones are kept and marked."
          verb="Roll back"
          onConfirm={rollBack.run}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}

interface SmallProps {
  readonly label: string;
  readonly does: () => void;
  readonly isBusy: boolean;
}

function Small({ label, does, isBusy }: SmallProps) {
  return (
    <button type="button" className="quiet" onClick={does} disabled={isBusy}>
      {label}
    </button>
  );
}
