// A palette over pages, agents, sessions and actions. Loaded when it is first opened.

import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useAgents } from "../data/agents.ts";
import { agoText, shortId } from "../data/format.ts";
import { goTo } from "../data/route.ts";
import { searchSessions, type SessionsFound } from "../data/search-sessions.ts";
import { Dialog } from "./dialog.tsx";
import { ErrorNote } from "./notes.tsx";
import type { Place } from "./place.ts";

interface Choice {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly run: () => void | Promise<void>;
}

interface PaletteProps {
  readonly places: readonly Place[];
  readonly onSignOut: () => void;
  readonly onClose: () => void;
}

/** Choices of each kind that are shown. */
const agentsShown = 6;
const sessionsShown = 8;
/** Pause in the typing after which sessions are searched, in milliseconds. */
const searchAfterMs = 150;
/** Calls of one search. The list of sessions searches the older ones. */
const searchCallsMax = 20;

export default function Palette({ places, onSignOut, onClose }: PaletteProps) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const found = useSessions(text.trim());
  const choices = useChoices({ places, found, text: text.trim(), onSignOut });
  const chosen = Math.min(at, choices.length - 1);
  const run = useAction(async (choice: Choice) => {
    await choice.run();
    onClose();
  });
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      setAt((chosen + step + choices.length) % Math.max(1, choices.length));
      event.preventDefault();
    }
    const choice = choices[chosen];
    if (event.key === "Enter" && choice !== undefined) run.run(choice);
  };
  return (
    <Dialog title="Go to" onClose={onClose} className="palette">
      <input
        role="combobox"
        aria-expanded
        aria-controls={listId}
        aria-activedescendant={choices[chosen] && `${listId}-${choices[chosen].id}`}
        aria-label="Page, agent, session or action"
        placeholder="Page, agent, session or action"
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ErrorNote error={run.error} />
      <ul role="listbox" id={listId} aria-label="Choices">
        {choices.map((choice, index) => (
          <li
            key={choice.id}
            id={`${listId}-${choice.id}`}
            role="option"
            aria-selected={index === chosen}
            ref={index === chosen ? scrollIntoView : undefined}
            onClick={() => run.run(choice)}
            onMouseMove={() => setAt(index)}
          >
            <span className="clip">{choice.label}</span> <span className="faint">{choice.hint}</span>
          </li>
        ))}
      </ul>
      <p className="faint palette-state" role="status">
        {found.isSearching ? "Searching sessions …" : choices.length === 0 && "Nothing found."}
      </p>
    </Dialog>
  );
}

function scrollIntoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}

interface Found extends SessionsFound {
  readonly isSearching: boolean;
}

const nothing: SessionsFound = { rows: [], hasMore: false };

/** Finds sessions by their texts once the typing pauses; without a text, the newest. */
function useSessions(text: string): Found {
  const { client } = useAccount();
  const [state, setState] = useState<{ readonly text?: string; readonly found: SessionsFound; isDone: boolean }>({
    found: nothing,
    isDone: false,
  });
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const search = async (): Promise<void> => {
      let found = nothing;
      const options = { text, count: sessionsShown, callsMax: searchCallsMax };
      for await (found of searchSessions((query) => client.listSessionSummaries(query, { signal }), options)) {
        if (signal.aborted) return;
        setState({ text, found, isDone: false });
      }
      setState({ text, found, isDone: true });
    };
    const timer = setTimeout(
      () => {
        // Pages, agents and actions can be chosen without sessions.
        search().catch(() => signal.aborted || setState({ text, found: nothing, isDone: true }));
      },
      text === "" ? 0 : searchAfterMs,
    );
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [client, text]);
  // What another text has found must not be chosen with Enter.
  if (state.text !== text) return { ...nothing, isSearching: true };
  return { ...state.found, isSearching: !state.isDone };
}

interface ChoicesInput {
  readonly places: readonly Place[];
  readonly found: SessionsFound;
  readonly text: string;
  readonly onSignOut: () => void;
}

function useChoices({ places, found, text, onSignOut }: ChoicesInput): readonly Choice[] {
  const { client, isOperator } = useAccount();
  const wanted = text.toLowerCase();
  const has = (label: string): boolean => label.toLowerCase().includes(wanted);
  const agents = useAgents().filter(({ name }) => has(name));
  const go = (to: string) => (): void => goTo(to);
  const leave = (to: string) => (): void => location.assign(to);
  const actions: readonly Choice[] = [
    ...agents.slice(0, agentsShown).map(({ id, name }) => ({
      id: `new-${id}`,
      label: `New session with ${name}`,
      hint: "action",
      run: async () => goTo(`/sessions/${(await client.createSession(id)).id}`),
    })),
    { id: "docs", label: "API reference", hint: "page", run: leave("/docs") },
    ...(isOperator ? [{ id: "board", label: "Queue board", hint: "page", run: leave("/ops/queues") }] : []),
    { id: "sign-out", label: "Sign out", hint: "action", run: onSignOut },
  ];
  return [
    ...places.filter(({ label }) => has(label)).map(({ to, label }) => choiceOf(to, label, "page", go(to))),
    ...agents.slice(0, agentsShown).map(({ id, name }) => choiceOf(id, name, "agent", go(`/agents/${id}`))),
    ...found.rows.map(({ id, title, last_activity_at: time }) =>
      choiceOf(id, title ?? shortId(id), `session, ${agoText(time)}`, go(`/sessions/${id}`)),
    ),
    ...(text !== "" && found.hasMore
      ? [choiceOf("all", `Search all sessions for “${text}”`, "page", go(`/sessions?${searchOf(text)}`))]
      : []),
    ...actions.filter(({ label }) => has(label) && (wanted !== "" || label !== "Sign out")),
  ];
}

function searchOf(text: string): string {
  return new URLSearchParams({ q: text }).toString();
}

function choiceOf(id: string, label: string, hint: string, run: () => void): Choice {
  return { id: id.replace("/", ""), label, hint, run };
}
