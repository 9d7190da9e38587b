// Renders log lines for people: those of agents, and those of the platform's programs.

import { withoutControls } from "../controls.ts";
import { paint, type Style } from "../style.ts";

/** `paint`, or a function that leaves a text as it is. */
export type Paint = (name: Style, text: string) => string;

export function painter(isStyled: boolean): Paint {
  return isStyled ? paint : (_name, text) => text;
}

const agentLine = /^(== attempt .*)|^((?:\d{4}-\d\d-\d\dT[\d:.]+Z )?)(\[(?:stdout|stderr|platform)\])/gm;
const streams: Readonly<Record<string, Style>> = { "[stdout]": "dim", "[stderr]": "warning", "[platform]": "code" };

/** Styles the headings, times and labels of an agent's log. */
export function renderAgentLog(text: string, paint: Paint): string {
  return text.replace(agentLine, (_, heading: string | undefined, time: string, label: string) => {
    if (heading !== undefined) return paint("bold", heading);
    return `${paint("dim", time)}${paint(streams[label] ?? "dim", label)}`;
  });
}

const levels: Readonly<Record<string, Style>> = { debug: "dim", warn: "warning", error: "error" };

/** Renders a line of JSON as time, level, program, event and fields. Returns any other line as it is. */
export function renderPlatformLine(line: string, paint: Paint): string {
  const entry = parseObject(line);
  if (entry === undefined) return withoutControls(line);
  const { time, level, name, msg, err, ...fields } = entry;
  const clock = /T(\d\d:\d\d:\d\d\.\d{3}Z)$/.exec(textOf(time))?.[1] ?? textOf(time);
  const word = textOf(level);
  const shown = Object.entries(fields).map(([key, value]) => `${paint("dim", `${key}=`)}${textOf(value)}`);
  const head = [
    paint("dim", clock),
    paint(levels[word] ?? "code", word.padEnd(5)),
    paint("dim", textOf(name)),
    paint("bold", textOf(msg)),
  ];
  return [[...head, ...shown].join(" "), ...errorLines(err).map((text) => `  ${text}`)].join("\n");
}

/** An error is logged as an object with its stack, which has the message. */
function errorLines(error: unknown): string[] {
  if (error === undefined) return [];
  const { stack, message } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const text = typeof stack === "string" ? stack : typeof message === "string" ? message : textOf(error);
  return text.split("\n").map(withoutControls);
}

function textOf(value: unknown): string {
  if (value === undefined) return "";
  return withoutControls(typeof value === "string" ? value : JSON.stringify(value));
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
