// Prepares charts by day: every day of a span, round axes, and the path of a line. Draws nothing.

export type Point = number | null;

const dayMs = 86_400_000;

/** Returns the dates of the span up to today in UTC, oldest first. */
export function datesOf(span: number, now = Date.now()): string[] {
  return Array.from({ length: span }, (_, index) =>
    new Date(now - (span - 1 - index) * dayMs).toISOString().slice(0, 10),
  );
}

const steps = [1, 2, 2.5, 5, 10];

/** Returns the end of an axis: a round number that is not less than any value; 1 if there is no value above 0. */
export function roundUp(values: readonly Point[]): number {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * (steps.find((step) => step * power >= most) ?? 10);
}

/** Returns an SVG path through the values. A missing value interrupts it. `x` and `y` place a day and a value. */
export function linePath(values: readonly Point[], x: (index: number) => number, y: (value: number) => number): string {
  const at = (value: number, index: number): string => `${round(x(index))} ${round(y(value))}`;
  return values
    .map((value, index) => {
      if (value === null) return "";
      return `${isStart(values, index) ? "M" : "L"}${at(value, index)}`;
    })
    .join("");
}

/** Returns whether no neighbour has a value, so that no line shows this one. */
export function isAlone(values: readonly Point[], index: number): boolean {
  return isStart(values, index) && (values[index + 1] ?? null) === null;
}

function isStart(values: readonly Point[], index: number): boolean {
  return (values[index - 1] ?? null) === null;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
