// Figures of the last days: sums, charts, and all figures as a table.

import type { OverviewRecord } from "@dari/contract";
import { datesOf, type Point } from "../../data/chart.ts";
import { costText, countText, durationText, momentText } from "../../data/format.ts";
import { Chart, type ChartProps, type Series } from "../../parts/chart.tsx";
import { Head } from "../../parts/head.tsx";

type Sums = OverviewRecord["total"];
type Measure = keyof Sums;

interface Plan extends Pick<ChartProps, "title" | "kind" | "say" | "empty"> {
  readonly totalOf: (sums: Sums) => string;
  readonly lines: readonly (readonly [measure: Measure, name: string, tone: Series["tone"]])[];
}

const plans: readonly Plan[] = [
  {
    ...{ title: "Turns", kind: "bars", say: countText, empty: "No turn ran." },
    totalOf: ({ turns }) => countText(turns),
    lines: [["turns", "turns", "accent"]],
  },
  {
    ...{ title: "Failed messages", kind: "bars", say: countText, empty: "No message failed." },
    totalOf: failedText,
    lines: [["failed", "failed", "bad"]],
  },
  {
    ...{ title: "Duration", kind: "lines", say: secondsText, empty: "No message was completed." },
    totalOf: ({ p95_seconds: seconds }) => mostText(seconds),
    lines: [
      ["p50_seconds", "median", "accent"],
      ["p95_seconds", "95th percentile", "second"],
    ],
  },
  {
    ...{ title: "Waiting to start", kind: "lines", say: secondsText, empty: "No message was started." },
    totalOf: ({ waited_p95_seconds: seconds }) => mostText(seconds),
    lines: [
      ["waited_p50_seconds", "median", "accent"],
      ["waited_p95_seconds", "95th percentile", "second"],
    ],
  },
  {
    ...{ title: "Tokens", kind: "bars", say: countText, empty: "No agent reported tokens." },
    totalOf: ({ tokens }) => countText(tokens),
    lines: [["tokens", "tokens", "accent"]],
  },
  {
    ...{ title: "Cost", kind: "bars", say: costText, empty: "No agent reported a cost." },
    totalOf: ({ cost_usd: cost }) => saidOrNone(cost, costText),
    lines: [["cost_usd", "cost", "accent"]],
  },
];

interface FiguresProps {
  readonly overview: OverviewRecord;
  readonly span: number;
}

export function Figures({ overview, span }: FiguresProps) {
  const { total, is_cut: isCut, since } = overview;
  const dates = datesOf(span);
  const days = new Map(overview.days.map((day) => [day.date, day]));
  return (
    <>
      {isCut && <p className="note">Only messages accepted since {momentText(since).split("\n")[0]} are counted.</p>}
      <div className="charts">
        {plans.map(({ totalOf, lines, ...plan }) => (
          <Chart
            key={plan.title}
            {...plan}
            total={totalOf(total)}
            dates={dates}
            series={lines.map(([measure, name, tone]) => ({
              name,
              tone,
              values: dates.map((date): Point => days.get(date)?.[measure] ?? (plan.kind === "bars" ? 0 : null)),
            }))}
          />
        ))}
      </div>
      <p className="faint">
        By the day (UTC) on which a message was accepted. Tokens and costs are those that agents’ SDKs report.
      </p>
      <details>
        <summary>Figures by day</summary>
        <DayTable overview={overview} />
      </details>
    </>
  );
}

function secondsText(seconds: number): string {
  return durationText(seconds * 1_000);
}

function failedText({ failed, messages }: Sums): string {
  if (failed === 0) return "0";
  return `${countText(failed)} (${((failed / messages) * 100).toFixed(1)} %)`;
}

function mostText(seconds: number | null): string {
  return seconds === null ? "–" : `95 % within ${secondsText(seconds)}`;
}

function saidOrNone(value: number | null, say: (value: number) => string): string {
  return value === null ? "–" : say(value);
}

/** The newest day first. Days without messages are left out. */
function DayTable({ overview: { days } }: { readonly overview: OverviewRecord }) {
  return (
    <table aria-label="Figures by day">
      <Head
        titles={[
          "Day",
          ["Messages", "number minor"],
          ["Turns", "number"],
          ["Failed", "number"],
          ["Waited, median", "number minor"],
          ["Waited, 95 %", "number minor"],
          ["Took, median", "number minor"],
          ["Took, 95 %", "number"],
          ["Tokens", "number"],
          ["Cost", "number minor"],
        ]}
      />
      <tbody>
        {days.toReversed().map((day) => (
          <tr key={day.date}>
            <th scope="row">
              <time dateTime={day.date}>{day.date}</time>
            </th>
            <td className="number minor">{countText(day.messages)}</td>
            <td className="number">{countText(day.turns)}</td>
            <td className={day.failed > 0 ? "number bad" : "number"}>{countText(day.failed)}</td>
            <td className="number minor">{saidOrNone(day.waited_p50_seconds, secondsText)}</td>
            <td className="number minor">{saidOrNone(day.waited_p95_seconds, secondsText)}</td>
            <td className="number minor">{saidOrNone(day.p50_seconds, secondsText)}</td>
            <td className="number">{saidOrNone(day.p95_seconds, secondsText)}</td>
            <td className="number">{countText(day.tokens)}</td>
            <td className="number minor">{saidOrNone(day.cost_usd, costText)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
