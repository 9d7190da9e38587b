// A chart by day, as bars or lines. Its label sums it up for screen readers; the page has a table of all figures.

import { useId } from "react";
import { isAlone, linePath, roundUp, type Point } from "../data/chart.ts";

export interface Series {
  readonly name: string;
  readonly tone: "accent" | "second" | "bad";
  /** One value per day. */
  readonly values: readonly Point[];
}

export interface ChartProps {
  readonly title: string;
  /** The figure of all days. */
  readonly total: string;
  readonly kind: "bars" | "lines";
  /** Dates such as `2026-11-25`, oldest first. */
  readonly dates: readonly string[];
  readonly series: readonly Series[];
  readonly say: (value: number) => string;
  /** Shown if no day has a value. */
  readonly empty: string;
}

/** The drawing's own units; it grows with its box. */
const width = 360;
const top = 18;
const bottom = 110;
const height = 128;
/** Up to this many days, each value of a line has a dot. */
const dotsMax = 31;

export function Chart({ title, total, kind, dates, series, say, empty }: ChartProps) {
  const titleId = useId();
  const values = series.flatMap((one) => one.values);
  const isEmpty = values.every((value) => value === null || (kind === "bars" && value === 0));
  const end = roundUp(values);
  const step = width / dates.length;
  const x = (index: number): number => (index + 0.5) * step;
  const y = (value: number): number => bottom - (value / end) * (bottom - top);
  return (
    <figure className="chart">
      <figcaption>
        <span id={titleId}>{title}</span> <strong>{total}</strong>
      </figcaption>
      {isEmpty ? (
        <p className="faint none">{empty}</p>
      ) : (
        <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={labelOf(title, dates, series, say)}>
          <text x="0" y={top - 5}>
            {say(end)}
          </text>
          <line className="grid" x1="0" x2={width} y1={top} y2={top} />
          <line className="grid" x1="0" x2={width} y1={(top + bottom) / 2} y2={(top + bottom) / 2} />
          {series.map((one) =>
            kind === "bars" ? (
              <Bars key={one.name} series={one} step={step} y={y} />
            ) : (
              <Line key={one.name} series={one} x={x} y={y} hasDots={dates.length <= dotsMax} />
            ),
          )}
          <line className="base" x1="0" x2={width} y1={bottom} y2={bottom} />
          {dates.map((date, index) => (
            <rect key={date} className="day" x={index * step} y={top} width={step} height={bottom - top}>
              <title>{sayDay(date, index, series, say)}</title>
            </rect>
          ))}
          <text x="0" y={height - 5}>
            {dates[0]?.slice(5)}
          </text>
          <text x={width} y={height - 5} textAnchor="end">
            {dates.at(-1)?.slice(5)}
          </text>
        </svg>
      )}
      {!isEmpty && series.length > 1 && <Legend series={series} />}
    </figure>
  );
}

interface BarsProps {
  readonly series: Series;
  readonly step: number;
  readonly y: (value: number) => number;
}

function Bars({ series: { tone, values }, step, y }: BarsProps) {
  const barWidth = Math.min(step * 0.76, 26);
  return (
    <g className={tone}>
      {values.map((value, index) => {
        if (value === null || value <= 0) return null;
        // Even a small value can be seen.
        const from = Math.min(y(value), bottom - 1.5);
        const left = (index + 0.5) * step - barWidth / 2;
        return <rect key={index} className="bar" x={left} y={from} width={barWidth} height={bottom - from} rx="1.2" />;
      })}
    </g>
  );
}

interface LineProps {
  readonly series: Series;
  readonly x: (index: number) => number;
  readonly y: (value: number) => number;
  readonly hasDots: boolean;
}

function Line({ series: { tone, values }, x, y, hasDots }: LineProps) {
  return (
    <g className={tone}>
      <path d={linePath(values, x, y)} />
      {values.map((value, index) =>
        value !== null && (hasDots || isAlone(values, index)) ? (
          <circle key={index} cx={x(index)} cy={y(value)} r="2.5" />
        ) : null,
      )}
    </g>
  );
}

function Legend({ series }: { readonly series: readonly Series[] }) {
  return (
    <p className="legend">
      {series.map(({ name, tone }) => (
        <span key={name}>
          <svg viewBox="0 0 22 8" className={tone} aria-hidden="true">
            <path d="M1 4L21 4" />
          </svg>
          {name}
        </span>
      ))}
    </p>
  );
}

function sayDay(date: string, index: number, series: readonly Series[], say: (value: number) => string): string {
  const figures = series.map(({ name, values }) => {
    const value = values[index] ?? null;
    const said = value === null ? "none" : say(value);
    return series.length === 1 ? said : `${name} ${said}`;
  });
  return `${date}: ${figures.join(", ")}`;
}

function labelOf(
  title: string,
  dates: readonly string[],
  series: readonly Series[],
  say: (value: number) => string,
): string {
  const most = series.map(({ name, values }) => {
    const highest = Math.max(...values.map((value) => value ?? 0));
    const on = dates[values.indexOf(highest)] ?? "";
    return `${series.length === 1 ? "" : `${name} `}at most ${say(highest)} on ${on}`;
  });
  return `${title} by day: ${most.join("; ")}. The table below has all figures.`;
}
