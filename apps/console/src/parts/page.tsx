// What every page has: its place above the title, the title, and what can be done there.

import { useEffect, type ReactNode } from "react";
import type { Loaded } from "../data/load.ts";
import { Link } from "./link.tsx";
import { ErrorNote, Loading } from "./notes.tsx";

interface PageProps {
  readonly title: string;
  /** The page that this one is part of. */
  readonly above?: { readonly to: string; readonly label: string };
  readonly beside?: ReactNode;
  /** What the page is for, in a sentence. */
  readonly says?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, above, beside, says, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Dari`;
  }, [title]);
  return (
    <>
      <header className="page-head">
        <div>
          {above && (
            <Link className="above" to={above.to}>
              {above.label}
            </Link>
          )}
          <h1>
            {title} {beside}
          </h1>
          {says !== undefined && <p className="says">{says}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

interface PendingProps extends Pick<PageProps, "title" | "above"> {
  readonly of: Pick<Loaded<unknown>, "error" | "reload">;
}

/** The page of a thing that is not there yet, or not at all. */
export function Pending({ of: { error, reload }, ...place }: PendingProps) {
  return <Page {...place}>{error === undefined ? <Loading /> : <ErrorNote error={error} retry={reload} />}</Page>;
}
