// A message's logs: search, stream and level, wrapping, times, download. Follows the end while more is coming.

import { useMemo, useState } from "react";
import { filterLogLines, readLogLines, type LogLevel, type LogLine } from "../data/log-lines.ts";
import { saveText } from "../data/save-as.ts";
import { useBoxAtEnd } from "../data/stick-to-end.ts";

/** Only the last lines are drawn: drawing more would be slow. The download has all. */
const linesShown = 3_000;

interface LogViewProps {
  /** The logs with times. */
  readonly text: string;
  readonly filename: string;
  readonly isGrowing: boolean;
}

export function LogView({ text, filename, isGrowing }: LogViewProps) {
  const [search, setSearch] = useState("");
  const [stream, setStream] = useState("");
  const [level, setLevel] = useState<LogLevel>("plain");
  const [isWrapped, setWrapped] = useState(true);
  const [hasTimes, setTimes] = useState(true);
  const lines = useMemo(() => readLogLines(text), [text]);
  const found = filterLogLines(lines, { text: search, stream, level });
  return (
    <>
      <div className="log-tools">
        <input
          type="search"
          aria-label="Search the logs"
          placeholder="Search"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <Choice label="Stream" value={stream} onChange={setStream} of={streams} />
        <Choice label="Level" value={level} onChange={(value) => setLevel(value as LogLevel)} of={levels} />
        <Check label="Times" value={hasTimes} onChange={setTimes} />
        <Check label="Wrap" value={isWrapped} onChange={setWrapped} />
        <button type="button" className="quiet" onClick={() => saveText(filename, text)}>
          Download
        </button>
        {isGrowing && <span className="faint">Following</span>}
      </div>
      {found.length === 0 ? (
        <p className="faint">No line matches.</p>
      ) : (
        <Lines lines={found} hasTimes={hasTimes} isWrapped={isWrapped} isGrowing={isGrowing} />
      )}
    </>
  );
}

const streams = { "": "all", stdout: "stdout", stderr: "stderr", platform: "platform" } as const;
const levels = { plain: "all", warning: "warnings and errors", error: "errors" } as const;

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly of: Readonly<Record<string, string>>;
}

function Choice({ label, value, onChange, of }: ChoiceProps) {
  return (
    <label className="inline-choice">
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {Object.entries(of).map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface CheckProps {
  readonly label: string;
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}

function Check({ label, value, onChange }: CheckProps) {
  return (
    <label className="inline-choice">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

interface LinesProps {
  readonly lines: readonly LogLine[];
  readonly hasTimes: boolean;
  readonly isWrapped: boolean;
  readonly isGrowing: boolean;
}

function Lines({ lines, hasTimes, isWrapped, isGrowing }: LinesProps) {
  const box = useBoxAtEnd(lines, isGrowing);
  const hidden = Math.max(0, lines.length - linesShown);
  return (
    <pre {...box} className={isWrapped ? "log" : "log unwrapped"} tabIndex={0} role="region" aria-label="Logs">
      {hidden > 0 && <span className="line faint">… {hidden} lines before</span>}
      {lines.slice(hidden).map(({ time, stream, level, text }, index) => (
        <span key={index} className={`line ${stream} level-${level}`}>
          {hasTimes && time !== undefined && <span className="time">{clockText(time)} </span>}
          {text}
        </span>
      ))}
    </pre>
  );
}

/** `14:03:07.120`, in the reader's time zone. */
function clockText(time: string): string {
  const at = new Date(time);
  return `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
