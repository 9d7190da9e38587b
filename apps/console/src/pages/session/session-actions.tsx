// Actions on a session: fork, complete, delete.

import type { SessionRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { goTo } from "../../data/route.ts";
import { ConfirmButton } from "../../parts/dialog.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

interface ActionsProps {
  readonly session: SessionRecord;
  readonly onChanged: () => void;
}

export function SessionActions({ session: { id, status }, onChanged }: ActionsProps) {
  const { client } = useAccount();
  const fork = useAction(async () => goTo(`/sessions/${(await client.forkSession(id)).id}`));
  const end = useAction(async () => {
    await client.completeSession(id, { cancel: true });
    onChanged();
  });
  const remove = useAction(async () => {
    await client.deleteSession(id, { cancel: true });
    goTo("/sessions");
  });
  const isOpen = status === "idle" || status === "active";
  return (
    <>
      <ErrorNote error={fork.error ?? end.error ?? remove.error} />
      <button type="button" onClick={fork.run} disabled={fork.isRunning}>
        Fork
      </button>
      {isOpen && (
        <ConfirmButton
          label="End"
          isOff={end.isRunning}
          title="End this session?"
          says="It accepts no more messages, and waiting and running ones are cancelled. Conversation and files stay."
          verb="End it"
          onConfirm={end.run}
        />
      )}
      <ConfirmButton
        label="Delete"
        tone="danger"
        isOff={remove.isRunning}
        title="Delete this session?"
        says="Its conversation and files are deleted permanently. Waiting and running messages are cancelled."
        verb="Delete it"
        onConfirm={remove.run}
      />
    </>
  );
}
