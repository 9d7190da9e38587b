// The first page: what needs attention, what runs now, and the figures of the last days.

import type { OverviewRecord } from "@dari/contract";
import { useRef } from "react";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";
import { changeQuery } from "../../data/route.ts";
import { Link } from "../../parts/link.tsx";
import { NoAgents } from "../../parts/no-agents.tsx";
import { Empty, ErrorNote, Loading } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Spans } from "../../parts/spans.tsx";
import { Attention } from "./attention.tsx";
import { Figures } from "./figures.tsx";
import { Running } from "./running.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 3_000;
const spans = [7, 30, 90] as const;
type Span = (typeof spans)[number];

interface Shown {
  readonly span: Span;
  readonly overview: OverviewRecord;
  readonly hasAgents: boolean;
}

export function OverviewPage({ query }: { readonly query: URLSearchParams }) {
  const { client } = useAccount();
  const span = spans.find((days) => String(days) === query.get("days")) ?? 30;
  const load = async (signal: AbortSignal): Promise<Shown> => {
    const overview = await client.getOverview({ days: span }, { signal });
    // Only an organization without messages can be one without agents.
    const isUsed = overview.total.messages > 0;
    return { span, overview, hasAgents: isUsed || (await client.listAgents({ limit: 1 }, { signal })).data.length > 0 };
  };
  const { value, error, reload } = useLoaded(`overview of ${span} days`, load, { againAfterMs: () => updateEveryMs });
  // The earlier span is shown until the other one is loaded.
  const latest = useRef(value);
  if (value !== undefined) latest.current = value;
  const shown = latest.current;
  return (
    <Page
      title="Overview"
      actions={
        <Spans
          spans={spans}
          value={span}
          onChange={(days) => changeQuery("/overview", query, "days", days === 30 ? "" : String(days))}
        />
      }
    >
      <ErrorNote error={error} retry={reload} />
      {shown === undefined && error === undefined && <Loading />}
      {shown?.hasAgents === false && <NoAgents />}
      {shown?.hasAgents === true && <Filled shown={shown} />}
    </Page>
  );
}

function Filled({ shown: { overview, span } }: { readonly shown: Shown }) {
  return (
    <>
      <div className="columns">
        <Attention overview={overview} />
        <Running overview={overview} />
      </div>
      <div className="section-head">
        <h2>Last {span} days</h2>
        <Link to="/usage">By agent</Link>
      </div>
      {overview.total.messages > 0 ? (
        <Figures overview={overview} span={span} />
      ) : (
        <Empty title="No messages in these days" command="dari chat">
          Start a session on an agent’s page, or talk to the agent of a folder.
        </Empty>
      )}
    </>
  );
}
