// One session: its live conversation, the form for the next message, and its files.

import type { DirectoryEntry, SessionRecord } from "@dari/contract";
import { useCallback, useEffect, useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAgentNames } from "../../data/agents.ts";
import { useLoaded } from "../../data/load.ts";
import { useStickToEnd } from "../../data/stick-to-end.ts";
import type { Transcript, Turn } from "../../data/transcript.ts";
import { useTranscript, type LiveTranscript } from "../../data/use-transcript.ts";
import { Id } from "../../parts/copyable.tsx";
import { Link } from "../../parts/link.tsx";
import { AwayNote, Empty, ErrorNote, Loading } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { preloadMarkdown } from "../../rich/rich-text.tsx";
import { Status } from "../../parts/status.tsx";
import { Composer } from "./composer.tsx";
import { Files } from "./files.tsx";
import { Preview } from "./preview.tsx";
import { SessionActions } from "./session-actions.tsx";
import { TurnView } from "./turn.tsx";

/** How many of the newest turns are shown first. A page with thousands of turns would be slow. */
const turnsAtOnce = 50;

const above = { to: "/sessions", label: "Sessions" };

export function SessionPage({ sessionId }: { readonly sessionId: string }) {
  const { client } = useAccount();
  useEffect(preloadMarkdown, []);
  const session = useLoaded(sessionId, (signal) => client.getSession(sessionId, { signal }));
  const live = useTranscript(sessionId);
  const { reload, value } = session;
  const changes = changesOf(live.transcript);
  const [chosen, setChosen] = useState<DirectoryEntry>();
  const closePreview = useCallback(() => setChosen(undefined), []);
  // Scroll only after the page exists.
  useStickToEnd(value && live.transcript);
  // The event is newer than the record.
  useEffect(() => reload(), [changes, reload]);
  if (value === undefined) return <Pending of={session} title="Session" above={above} />;
  const isOpen = value.status === "idle" || value.status === "active";
  return (
    <Page
      title={value.name ?? firstWords(live.transcript) ?? "Session"}
      beside={<Status of={live.isAway ? "reconnecting" : value.status} />}
      above={above}
      actions={<SessionActions session={value} onChanged={reload} />}
    >
      <Facts session={value} />
      {live.isAway ? <AwayNote /> : <ErrorNote error={live.error ?? session.error} retry={reload} />}
      <div className="session">
        {chosen && (
          <Preview key={chosen.path} sessionId={sessionId} entry={chosen} version={changes} onClose={closePreview} />
        )}
        <section aria-label="Conversation" hidden={chosen !== undefined}>
          <Conversation live={live} session={value} />
          {isOpen ? (
            <Composer
              sessionId={sessionId}
              isBusy={value.status === "active"}
              runningId={ownTurns(live.transcript).find(({ status }) => status === "running")?.messageId}
              isFirst={value.last_message_id === null}
            />
          ) : (
            <p className="note">This session is {value.status} and accepts no more messages. Fork it to continue.</p>
          )}
        </section>
        <Files sessionId={sessionId} version={changes} chosen={chosen?.path} onChoose={setChosen} />
      </div>
    </Page>
  );
}

/** Changes whenever the session's status or workspace may have changed: at a turn's steps, and at a rollback. */
function changesOf({ turns }: Transcript): string {
  return turns.map(({ status, isRolledBack }) => `${status}${isRolledBack ? "*" : ""}`).join();
}

function Facts({ session }: { readonly session: SessionRecord }) {
  const nameOf = useAgentNames();
  const { id, agent_id: agentId, version_id: versionId, metadata, forked_from: origin } = session;
  return (
    <p className="facts">
      <Id of={id} />
      <Link to={`/agents/${agentId}`}>{nameOf(agentId)}</Link>
      <Version agentId={agentId} versionId={versionId} />
      {origin && <Link to={`/sessions/${origin.session_id}`}>forked from another session</Link>}
      {Object.entries(metadata).map(([key, value]) => (
        <span key={key} className="tag">
          {key}={String(value)}
        </span>
      ))}
    </p>
  );
}

function Version({ agentId, versionId }: { readonly agentId: string; readonly versionId: string }) {
  const { client } = useAccount();
  const { value } = useLoaded(versionId, (signal) => client.getVersion(agentId, versionId, { signal }));
  return (
    <Link to={`/agents/${agentId}/versions/${versionId}`} title={versionId}>
      Version {value?.number}
    </Link>
  );
}

/** How many characters of the first message are a session's title. */
const titleChars = 80;

function firstWords({ turns }: Transcript): string | undefined {
  const text = turns[0]?.parts.find((part) => part.type === "text")?.text.trim();
  if (!text) return undefined;
  return text.length <= titleChars ? text : `${text.slice(0, titleChars)}…`;
}

/** Returns the turns without messages that another turn took: that turn shows them. */
function ownTurns({ turns }: Transcript): readonly Turn[] {
  const known = new Set(turns.map(({ messageId }) => messageId));
  return turns.filter(({ steeredInto }) => steeredInto === undefined || !known.has(steeredInto));
}

/** Divides turns into groups: rolled-back neighbours are one group, every other turn is its own. */
function groupRolledBack(turns: readonly Turn[]): readonly (readonly Turn[])[] {
  const groups: Turn[][] = [];
  for (const turn of turns) {
    const last = groups.at(-1);
    if (turn.isRolledBack && last?.[0]?.isRolledBack === true) last.push(turn);
    else groups.push([turn]);
  }
  return groups;
}

interface ConversationProps {
  readonly live: LiveTranscript;
  readonly session: SessionRecord;
}

function Conversation({ live, session }: ConversationProps) {
  const [shown, setShown] = useState(turnsAtOnce);
  const turns = ownTurns(live.transcript);
  const hidden = Math.max(0, turns.length - shown);
  if (turns.length === 0) {
    // The conversation is still loading.
    if (session.last_message_id !== null) return <Loading />;
    return (
      <Empty title="Nothing said yet" command={`dari session send ${session.id} "Hello"`}>
        Write the first message below, or send it from the terminal.
      </Empty>
    );
  }
  return (
    <ol className={live.isAway ? "turns away" : "turns"} aria-live="polite" aria-relevant="additions">
      {hidden > 0 && (
        <li>
          <button type="button" className="more" onClick={() => setShown(shown + turnsAtOnce)}>
            Show {Math.min(turnsAtOnce, hidden)} of {hidden} earlier turns
          </button>
        </li>
      )}
      {groupRolledBack(turns.slice(hidden)).map((group) => {
        const [first] = group;
        const shownTurns = group.map((turn) => (
          <TurnView key={turn.messageId} turn={turn} sessionId={session.id} isAway={live.isAway} />
        ));
        if (first?.isRolledBack !== true) return shownTurns;
        return (
          <li key={`rolled back ${first.messageId}`} className="turn">
            <details>
              <summary>{group.length === 1 ? "1 turn was" : `${group.length} turns were`} rolled back</summary>
              <ol className="turns">{shownTurns}</ol>
            </details>
          </li>
        );
      })}
    </ol>
  );
}
