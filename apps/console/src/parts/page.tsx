// What every page has: breadcrumbs, a title and actions.

import { useEffect, type ReactNode } from "react";
import type { Loaded } from "../data/load.ts";
import { Link } from "./link.tsx";
import { ErrorNote, Loading } from "./notes.tsx";

interface PageProps {
  readonly title: string;
  /** The parent page. */
  readonly above?: { readonly to: string; readonly label: string };
  readonly beside?: ReactNode;
  /** One sentence that says what the page is for. */
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

/** The page while its object is loading, or does not exist. */
export function Pending({ of: { error, reload }, ...place }: PendingProps) {
  return <Page {...place}>{error === undefined ? <Loading /> : <ErrorNote error={error} retry={reload} />}</Page>;
}
