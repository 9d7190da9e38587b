// The usage of the organization's turns, by day and by agent, and its storage.

import type { UsageRecord } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { countText, durationText, momentText, sizeText } from "../data/format.ts";
import { useLoaded } from "../data/load.ts";
import { fillMissingDays, measures, measureText, sumMeasure, type Measure } from "../data/usage.ts";
import { Days } from "../parts/days.tsx";
import { Link } from "../parts/link.tsx";
import { Empty, ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Spans } from "../parts/spans.tsx";
import { Tile, Tiles } from "../parts/tiles.tsx";

const spans = [7, 14, 31] as const;
const names = Object.keys(measures) as Measure[];

export function UsagePage() {
  const { client } = useAccount();
  const [span, setSpan] = useState<(typeof spans)[number]>(spans[0]);
  const usage = useLoaded(`usage of ${span} days`, (signal) => client.getUsage("current", { days: span }, { signal }));
  return (
    <Page
      title="Usage"
      actions={<Spans spans={spans} value={span} onChange={setSpan} />}
      says="By the day (UTC) on which a message was accepted."
    >
      <ErrorNote error={usage.error} retry={usage.reload} />
      {usage.value === undefined && usage.error === undefined && <Loading />}
      {usage.value && <Shown usage={usage.value} span={span} />}
    </Page>
  );
}

function Shown({ usage, span }: { readonly usage: UsageRecord; readonly span: number }) {
  return (
    <>
      {usage.is_cut && (
        <p className="note">Only what was accepted since {momentText(usage.since).split("\n")[0]} is counted.</p>
      )}
      <Summary usage={usage} />
      {usage.days.length === 0 && <Empty title="Nothing was used">No message was accepted on these days.</Empty>}
      {usage.days.length > 0 && <Breakdown usage={usage} span={span} />}
    </>
  );
}

function Breakdown({ usage, span }: { readonly usage: UsageRecord; readonly span: number }) {
  const [measure, setMeasure] = useState<Measure>("turns");
  const { say, label } = measures[measure];
  const days = fillMissingDays(usage, span);
  return (
    <>
      <div className="section-head">
        <h2>By day</h2>
        <label className="inline-choice">
          Figure
          <select
            value={measure}
            onChange={(event) => setMeasure(names.find((one) => one === event.target.value) ?? "turns")}
          >
            {names.map((name) => (
              <option key={name} value={name}>
                {measures[name].label}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Days
        label={`${label} by day`}
        days={days.map((day) => ({ date: day.date, amount: day[measure] ?? 0 }))}
        say={say}
      />
      <h2>By agent</h2>
      <Agents agents={usage.agents} />
    </>
  );
}

function Summary({ usage }: { readonly usage: UsageRecord }) {
  const { kept, now } = usage;
  const messages = sumMeasure(usage, "messages");
  const failed = sumMeasure(usage, "failed");
  const share = messages === 0 ? 0 : failed / messages;
  const turns = sumMeasure(usage, "turns");
  const seconds = sumMeasure(usage, "turn_seconds");
  return (
    <Tiles>
      <Tile label="Messages" value={countText(messages)} says={`${countText(now.open_messages)} open now`} />
      <Tile label="Turns" value={countText(turns)} says={`${countText(now.turns)} in flight now`} />
      <Tile
        label="Turn time"
        value={durationText(seconds * 1_000)}
        says={turns === 0 ? undefined : `${durationText((seconds * 1_000) / turns)} a turn`}
      />
      <Tile
        label="Tokens"
        value={countText(sumMeasure(usage, "tokens"))}
        says={`as SDKs report them; ${countText(sumMeasure(usage, "metered_tokens"))} metered`}
      />
      <Cost usage={usage} />
      <Tile
        label="Failed"
        value={countText(failed)}
        says={`${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} % of messages`}
        tone={failed > 0 ? "bad" : "plain"}
      />
      <Tile
        label="Storage"
        value={sizeText(kept.storage_bytes.kept)}
        says={kept.storage_bytes.max === null ? "files and workspaces" : `of ${sizeText(kept.storage_bytes.max)}`}
      />
    </Tiles>
  );
}

function Cost({ usage }: { readonly usage: UsageRecord }) {
  const requests = sumMeasure(usage, "metered_requests");
  const unpriced = sumMeasure(usage, "unpriced_requests");
  const isKnown = usage.days.some((day) => typeof day.metered_cost_microusd === "number");
  const cost = isKnown ? sumMeasure(usage, "metered_cost_microusd") : null;
  const without = unpriced === 0 ? "" : `, ${countText(unpriced)} without a cost`;
  return (
    <Tile
      label="Metered cost"
      value={measureText("metered_cost_microusd", cost)}
      says={`${countText(requests)} metered requests${without}`}
    />
  );
}

/** A narrow window shows turns and tokens. */
function classOf(name: Measure): string {
  return name === "turns" || name === "tokens" ? "number" : "number minor";
}

function Agents({ agents }: Pick<UsageRecord, "agents">) {
  return (
    <table aria-label="Usage by agent">
      <thead>
        <tr>
          <th scope="col">Agent</th>
          {names.map((name) => (
            <th key={name} scope="col" className={classOf(name)}>
              {measures[name].label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {agents.map((agent) => (
          <tr key={agent.agent_id}>
            <td>
              <Link data-row to={`/agents/${agent.agent_id}`}>
                {agent.name}
              </Link>
            </td>
            {names.map((name) => (
              <td key={name} className={name === "failed" && agent.failed > 0 ? `${classOf(name)} bad` : classOf(name)}>
                {measureText(name, agent[name])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
