// Failed messages without a retry, found by a dry run of the bulk retry, and the bulk retry.

import type { MessagesRetried, RetryMessagesRequest } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { changeQuery } from "../data/route.ts";
import { shortId } from "../data/format.ts";
import { AgentField, TextFilter } from "../parts/choice.tsx";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Form } from "../parts/form.tsx";
import { Head } from "../parts/head.tsx";
import { Link } from "../parts/link.tsx";
import { Empty, ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Ago } from "../parts/time.tsx";

/** How many failures are shown and retried together. Each row loads its message. */
const batch = 50;

export function FailedPage({ query }: { readonly query: URLSearchParams }) {
  const { client } = useAccount();
  const request = requestOf(query);
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
      says="Messages without a retry, oldest first. A retry is a new message at the end of its session."
      actions={
        <ConfirmButton
          label={`Retry ${count === 0 ? "them" : count}`}
          tone="primary"
          isOff={count === 0 || retry.isRunning}
          title={count === 1 ? "Retry this message?" : `Retry these ${count} messages?`}
          says="All of them are retried, or none. Their usage counts again."
          verb="Retry"
          onConfirm={retry.run}
        />
      }
    >
      <Filters query={query} />
      {done && (
        <p className="note" role="status">
          {done.retried.length} sent again, {done.skipped.length} skipped.
        </p>
      )}
      <ErrorNote error={found.error ?? retry.error} retry={found.reload} />
      {found.value === undefined && found.error === undefined && <Loading />}
      {found.value && <Found found={found.value} isFiltered={query.size > 0} />}
    </Page>
  );
}

/** Filters by agent and by error. Operators can choose all organizations. */
function Filters({ query }: { readonly query: URLSearchParams }) {
  const { isOperator } = useAccount();
  const change = (name: string, value: string): void => changeQuery("/failed", query, name, value);
  return (
    <Form className="filters" role="search">
      <AgentField none="any" value={query.get("agent_id") ?? ""} onChange={(id) => change("agent_id", id)} />
      <TextFilter
        label="Error code"
        placeholder="worker_lost"
        value={query.get("error_code") ?? ""}
        onChange={(text) => change("error_code", text)}
      />
      {isOperator && (
        <label className="check">
          <input
            type="checkbox"
            checked={query.has("everywhere")}
            onChange={(event) => change("everywhere", event.target.checked ? "1" : "")}
          />
          All organizations
        </label>
      )}
    </Form>
  );
}

function requestOf(query: URLSearchParams): RetryMessagesRequest {
  const [code, agentId, everywhere] = ["error_code", "agent_id", "everywhere"].map(
    (name) => query.get(name) || undefined,
  );
  return {
    filter: {
      ...(code === undefined ? {} : { error_code: code }),
      ...(agentId === undefined ? {} : { agent_id: agentId }),
      ...(everywhere === undefined ? {} : { organization_id: "all" }),
    },
    limit: batch,
  };
}

function Found({ found, isFiltered }: { readonly found: MessagesRetried; readonly isFiltered: boolean }) {
  const { retried, skipped, has_more: hasMore } = found;
  const others = skipped.filter(({ reason }) => reason !== "already_retried");
  if (retried.length + others.length === 0) {
    return isFiltered ? (
      <Empty title="No failed message matches">Clear the filters to see all of them.</Empty>
    ) : (
      <Empty title="Nothing has failed">No message waits for a retry.</Empty>
    );
  }
  return (
    <>
      <table aria-label="Failed messages" className="failures">
        <Head titles={["Message", "Error", "Failed"]} />
        <tbody>
          {retried.map(({ message_id: id }) => (
            <Failure key={id} id={id} />
          ))}
          {others.map(({ message_id: id, reason }) => (
            <Failure key={id} id={id} obstacle={reason.replaceAll("_", " ")} />
          ))}
        </tbody>
      </table>
      {hasMore && <p className="faint">There are more: these are the {batch} oldest.</p>}
    </>
  );
}

interface FailureProps {
  readonly id: string;
  /** Why the message cannot be retried. */
  readonly obstacle?: string;
}

function Failure({ id, obstacle }: FailureProps) {
  const { client } = useAccount();
  // Operators can retry another organization's message but not read it, so only its id is shown.
  const { value, error: refused } = useLoaded(id, (signal) => client.getMessage(id, {}, { signal }));
  const error = value?.output?.error;
  return (
    <tr>
      <td>
        <Link data-row to={`/messages/${id}`} title={id}>
          <code>{shortId(id)}</code>
        </Link>
      </td>
      <td>
        {error && (
          <>
            <code>{error.code}</code> {error.message}
          </>
        )}
        {refused !== undefined && <span className="faint">another organization’s</span>}
        {obstacle !== undefined && <div className="faint">cannot be retried: {obstacle}</div>}
      </td>
      <td>{value ? <Ago time={value.completed_at} /> : "\u00a0"}</td>
    </tr>
  );
}
