// Failed messages that nobody has retried, found by a dry run of the bulk retry, and the retry itself.

import type { MessagesRetried, RetryMessagesRequest } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { Link } from "../parts/link.tsx";
import { Empty, ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Ago } from "../parts/time.tsx";

/** So many failures are looked at, and retried, at once; each row loads its message. */
const batch = 50;

export function FailedPage() {
  const { client, organization } = useAccount();
  const [code, setCode] = useState("");
  const [isEverywhere, setEverywhere] = useState(false);
  const request: RetryMessagesRequest = {
    filter: {
      ...(code === "" ? {} : { error_code: code }),
      ...(isEverywhere ? { organization_id: "all" } : {}),
    },
    limit: batch,
  };
  const key = JSON.stringify(request);
  const found = useLoaded(key, (signal) => client.retryMessages({ ...request, dry_run: true }, { signal }));
  const [done, setDone] = useState<MessagesRetried>();
  const retry = useAction(async () => {
    setDone(await client.retryMessages(request));
    found.reload();
  });
  const count = found.value?.retried.length ?? 0;
  return (
    <Page
      title="Failed messages"
      actions={
        <button type="button" className="primary" onClick={retry.run} disabled={count === 0 || retry.isRunning}>
          Retry {count === 0 ? "them" : count}
        </button>
      }
    >
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Error code
          <input
            data-search
            type="search"
            placeholder="worker_lost"
            onKeyDown={(event) => event.key === "Enter" && setCode(event.currentTarget.value.trim())}
          />
        </label>
        {organization.is_operator && (
          <label className="check">
            <input type="checkbox" checked={isEverywhere} onChange={(event) => setEverywhere(event.target.checked)} />
            Of every organization
          </label>
        )}
      </form>
      {done && (
        <p className="note" role="status">
          {done.retried.length} sent again, {done.skipped.length} skipped.
        </p>
      )}
      <ErrorNote error={found.error ?? retry.error} retry={found.reload} />
      {found.value === undefined && found.error === undefined && <Loading />}
      {found.value && <Found found={found.value} />}
    </Page>
  );
}

function Found({ found }: { readonly found: MessagesRetried }) {
  const { retried, skipped, has_more: hasMore } = found;
  const others = skipped.filter(({ reason }) => reason !== "already_retried");
  if (retried.length + others.length === 0)
    return <Empty title="Nothing has failed">No message waits for a retry.</Empty>;
  return (
    <>
      <ul className="rows" aria-label="Failed messages">
        {retried.map(({ message_id: id }) => (
          <Failure key={id} id={id} />
        ))}
        {others.map(({ message_id: id, reason }) => (
          <Failure key={id} id={id} obstacle={reason.replaceAll("_", " ")} />
        ))}
      </ul>
      {hasMore && <p className="faint">There are more: these are the {batch} oldest.</p>}
    </>
  );
}

interface FailureProps {
  readonly id: string;
  /** Why it cannot be retried. */
  readonly obstacle?: string;
}

function Failure({ id, obstacle }: FailureProps) {
  const { client } = useAccount();
  // Another organization's, which operators retry without reading it, stays an id.
  const { value } = useLoaded(id, (signal) => client.getMessage(id, { signal }));
  const error = value?.output?.error;
  return (
    <li>
      <Link data-row to={`/messages/${id}`}>
        <code>{id}</code>
      </Link>
      {error && (
        <span>
          <code>{error.code}</code> {error.message}
        </span>
      )}
      {obstacle !== undefined && <span className="faint">cannot be retried: {obstacle}</span>}
      {value && (
        <span className="faint">
          <Ago time={value.completed_at} />
        </span>
      )}
    </li>
  );
}
