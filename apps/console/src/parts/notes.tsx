// What a page shows without data: an error, an empty list, a wait.

import { ApiError } from "@dari/client";
import type { ReactNode } from "react";
import { errorText } from "../data/format.ts";
import { isPassing } from "../data/load.ts";
import { Copyable } from "./copyable.tsx";

export function ErrorNote({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  if (error === undefined) return null;
  if (error instanceof ApiError && error.status === 401) return <SignedOutNote />;
  return (
    <div className="note bad" role="alert">
      <span>{errorText(error)}</span>
      {retry && isPassing(error) && (
        <button type="button" className="quiet" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** The page's stream is disconnected and is connecting again. */
export function AwayNote() {
  return (
    <div className="note wait" role="status">
      Reconnecting: the platform cannot be reached. This page shows the last known state, and updates itself.
    </div>
  );
}

/** The page stays until the person leaves it, so that typed text can be copied. */
function SignedOutNote() {
  return (
    <div className="note bad" role="alert">
      <span>You are no longer signed in: the key or the sign-in was revoked, or has expired.</span>
      <button type="button" className="quiet" onClick={() => location.reload()}>
        Sign in again
      </button>
    </div>
  );
}

interface EmptyProps {
  readonly title: string;
  readonly children?: ReactNode;
  /** The command that creates the first object. */
  readonly command?: string;
}

export function Empty({ title, children, command }: EmptyProps) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {command !== undefined && <Copyable text={command} />}
    </div>
  );
}

export function Loading() {
  return (
    <p className="loading" role="status">
      Loading …
    </p>
  );
}
