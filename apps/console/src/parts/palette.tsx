// A palette over pages, agents, sessions and actions. Loaded when it is first opened.

import type { SessionSummary } from "@dari/contract";
import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useAgents } from "../data/agents.ts";
import { agoText, shortId } from "../data/format.ts";
import { useLoaded } from "../data/load.ts";
import { goTo } from "../data/route.ts";
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

export default function Palette({ places, onSignOut, onClose }: PaletteProps) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const wanted = text.trim().toLowerCase();
  const sessions = useSessions(text.trim());
  const choices = useChoices({ places, sessions, wanted, onSignOut });
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
      {choices.length === 0 && <p className="faint">Nothing found.</p>}
    </Dialog>
  );
}

function scrollIntoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}

/** Finds sessions by their texts once the typing pauses; without a text, the newest. */
function useSessions(text: string): readonly SessionSummary[] {
  const { client } = useAccount();
  const [searched, setSearched] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSearched(text), searchAfterMs);
    return () => clearTimeout(timer);
  }, [text]);
  const { value } = useLoaded(`palette ${searched}`, (signal) =>
    client.listSessionSummaries({ limit: sessionsShown, ...(searched === "" ? {} : { q: searched }) }, { signal }),
  );
  return value?.data ?? [];
}

interface ChoicesInput {
  readonly places: readonly Place[];
  readonly sessions: readonly SessionSummary[];
  readonly wanted: string;
  readonly onSignOut: () => void;
}

function useChoices({ places, sessions, wanted, onSignOut }: ChoicesInput): readonly Choice[] {
  const { client, isOperator } = useAccount();
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
    ...sessions.map(({ id, title, last_activity_at: time }) =>
      choiceOf(id, title ?? shortId(id), `session, ${agoText(time)}`, go(`/sessions/${id}`)),
    ),
    ...actions.filter(({ label }) => has(label) && (wanted !== "" || label !== "Sign out")),
  ];
}

function choiceOf(id: string, label: string, hint: string, run: () => void): Choice {
  return { id: id.replace("/", ""), label, hint, run };
}
