// Divides a message's logs into lines with their time, stream and level. Draws nothing.

export type LogLevel = "error" | "warning" | "plain";

export interface LogLine {
  /** Undefined for a heading of an attempt. */
  readonly time?: string;
  readonly stream: string;
  readonly level: LogLevel;
  readonly text: string;
}

const linePattern = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) \[(stdout|stderr|platform)\] ?(.*)$/;

/** `text` comes from the API with `timestamps=1`. */
export function readLogLines(text: string): readonly LogLine[] {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => {
      const [, time, stream, rest] = linePattern.exec(line) ?? [];
      if (time === undefined || stream === undefined || rest === undefined)
        return { stream: "heading", level: "plain", text: line };
      return { time, stream, level: levelOf(rest), text: rest };
    });
}

/** Returns the level that a line names: in JSON, in brackets, or as its first words. */
function levelOf(text: string): LogLevel {
  const start = text.slice(0, 200);
  if (/\b(error|fatal|critical|exception|traceback)\b/i.test(start)) return "error";
  return /\bwarn(ing)?\b/i.test(start) ? "warning" : "plain";
}

export interface LogFilter {
  readonly text: string;
  /** Empty: all. */
  readonly stream: string;
  readonly level: LogLevel;
}

/** While a filter is set, headings stay if lines below them do. */
export function filterLogLines(lines: readonly LogLine[], { text, stream, level }: LogFilter): readonly LogLine[] {
  if (text === "" && stream === "" && level === "plain") return lines;
  const wanted = text.toLowerCase();
  const isShown = (line: LogLine): boolean =>
    (stream === "" || line.stream === stream) &&
    (level === "plain" || line.level === "error" || line.level === level) &&
    line.text.toLowerCase().includes(wanted);
  return lines.filter((line, index) => {
    if (line.stream !== "heading") return isShown(line);
    const end = lines.findIndex((other, at) => at > index && other.stream === "heading");
    return lines.slice(index + 1, end === -1 ? undefined : end).some(isShown);
  });
}
