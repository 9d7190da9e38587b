// Actions on a turn: cancel, retry, roll back, fork.

import { useAccount } from "../../data/account.ts";
import { useAction, type Action } from "../../data/action.ts";
import { goTo } from "../../data/route.ts";
import type { Turn } from "../../data/transcript.ts";
import { ConfirmButton } from "../../parts/dialog.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

interface TurnActionsProps {
  readonly turn: Pick<Turn, "messageId" | "status" | "isRolledBack">;
  readonly sessionId: string;
  /**
   * True on the message's own page. The result is then shown on another page. On the session's page, the button beside
   * the next message stops a running turn.
   */
  readonly isAlone?: boolean;
}

export function TurnActions({ turn, sessionId, isAlone = false }: TurnActionsProps) {
  const { messageId, status, isRolledBack } = turn;
  const { client } = useAccount();
  const cancel = useAction(async () => void (await client.cancelMessage(messageId)));
  const retry = useAction(async () => {
    const { id } = await client.retryMessage(messageId);
    if (isAlone) goTo(`/messages/${id}`);
  });
  const rollBack = useAction(async () => {
    await client.rollBackSession(sessionId, { message_id: messageId });
    if (isAlone) goTo(`/sessions/${sessionId}`);
  });
  const fork = useAction(async () => {
    goTo(`/sessions/${(await client.forkSession(sessionId, { message_id: messageId })).id}`);
  });
  const isOver = status === "completed" || status === "failed" || status === "cancelled";
  const canReturn = status === "completed" && !isRolledBack;
  const look = isAlone ? {} : { tone: "quiet" as const };
  return (
    <>
      <span className="actions">
        {!isOver && (isAlone || status !== "running") && <Act label="Cancel" action={cancel} {...look} />}
        {status === "failed" && <Act label="Retry" action={retry} {...look} />}
        {canReturn && <Act label="Fork from here" action={fork} {...look} />}
        {canReturn && (
          <ConfirmButton
            label="Roll back to here"
            {...look}
            isOff={rollBack.isRunning}
            title="Roll back to here?"
            says="Conversation and files go back to their state after this message. Later messages are kept and marked."
            verb="Roll back"
            onConfirm={rollBack.run}
          />
        )}
      </span>
      <ErrorNote error={cancel.error ?? retry.error ?? fork.error ?? rollBack.error} />
    </>
  );
}

interface ActProps {
  readonly label: string;
  readonly action: Action<[]>;
  readonly tone?: "quiet";
}

function Act({ label, action, tone }: ActProps) {
  return (
    <button type="button" className={tone} onClick={action.run} disabled={action.isRunning}>
      {label}
    </button>
  );
}
