// Shortcuts: Ctrl-K opens the palette. Outside of fields, j and k move in a list, g and a letter open a page, and /
// opens the search.

import { lazy, Suspense, useEffect, useState } from "react";
import { goTo } from "../data/route.ts";
import { Dialog } from "./dialog.tsx";
import type { Place } from "./place.ts";

/** How long a shortcut waits for its second key, in milliseconds. */
const pairMs = 1_200;

const others = [
  ["Ctrl K", "search pages, agents, sessions and actions"],
  ["j, k", "next and previous row; Enter opens it"],
  ["/", "to the search or filter"],
  ["m", "to the message field"],
  ["Esc", "leave a field, close a dialog"],
  ["?", "this list"],
] as const;

const Palette = lazy(() => import("./palette.tsx"));

interface ShortcutsProps {
  readonly places: readonly Place[];
  readonly onSignOut: () => void;
}

export function Shortcuts({ places, onSignOut }: ShortcutsProps) {
  const [isShown, setShown] = useState(false);
  const [hasPalette, setPalette] = useState(false);
  useEffect(() => {
    let pairedAt = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && isField(event.target)) (event.target as HTMLElement).blur();
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
        event.preventDefault();
        if (document.querySelector("dialog[open]") === null) setPalette(true);
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isField(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      const isSecond = performance.now() - pairedAt < pairMs;
      pairedAt = event.key === "g" ? performance.now() : -Infinity;
      const place = isSecond ? places.find(({ key }) => key === event.key) : undefined;
      if (place !== undefined) goTo(place.to);
      else if (event.key === "?") setShown(true);
      else if (!act(event.key)) return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [places]);
  if (hasPalette) {
    return (
      <Suspense fallback={null}>
        <Palette places={places} onSignOut={onSignOut} onClose={() => setPalette(false)} />
      </Suspense>
    );
  }
  if (!isShown) return null;
  return (
    <Dialog title="Keys" onClose={() => setShown(false)}>
      <dl className="keys">
        {places.map(({ key, label }) => (
          <Key key={key} keys={`g ${key}`} does={label} />
        ))}
        {others.map(([keys, does]) => (
          <Key key={keys} keys={keys} does={does} />
        ))}
      </dl>
    </Dialog>
  );
}

function Key({ keys, does }: { readonly keys: string; readonly does: string }) {
  return (
    <div>
      <dt>
        <kbd>{keys}</kbd>
      </dt>
      <dd>{does}</dd>
    </div>
  );
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

/** Runs the shortcut of a single key. Returns false if there is none. */
function act(key: string): boolean {
  switch (key) {
    case "j":
      return step(1);
    case "k":
      return step(-1);
    case "/":
      return focusOn("[data-search]");
    case "m":
      return focusOn("[data-composer]");
    default:
      return false;
  }
}

function focusOn(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.focus();
  return found !== null;
}

function step(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const current = rows.indexOf(document.activeElement as HTMLElement);
  const next = current === -1 ? (by === 1 ? 0 : rows.length - 1) : current + by;
  const row = rows[Math.min(rows.length - 1, Math.max(0, next))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
  return row !== undefined;
}
