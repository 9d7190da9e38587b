// Formats times, sizes, durations and errors.

import { ApiError } from "@dari/client";

const units = ["B", "kB", "MB", "GB", "TB"];

/** `1.5 MB`, in powers of 1000. */
export function sizeText(bytes: number | null): string {
  if (bytes === null) return "";
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`;
}

/** `340 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** `just now`, `5 min ago`, `in 3 h`, and a date for moments further away. */
export function agoText(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1_000;
  const distance = Math.abs(seconds);
  if (distance >= 86_400) return dayText(time);
  if (distance < 45) return seconds >= 0 ? "just now" : "in a moment";
  const distanceText =
    distance < 3_600 ? `${Math.max(1, Math.round(distance / 60))} min` : `${Math.round(distance / 3_600)} h`;
  return seconds >= 0 ? `${distanceText} ago` : `in ${distanceText}`;
}

/** `Nov 25, 2026`. */
export function dayText(time: string): string {
  return new Date(time).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** Formats a moment to the second, in the reader's time zone and in UTC. */
export function momentText(time: string): string {
  const here = new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return `${here}\n${new Date(time).toISOString()}`;
}

/** Formats a moment to the minute in the reader's time zone, with the date. */
export function minuteText(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** `1,234`; `1.2M` from a million on. */
export function countText(count: number): string {
  return count < 1_000_000
    ? Math.round(count).toLocaleString("en")
    : count.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

/** `$0.0042`, `$1.50`, `$12,000`. */
export function costText(usd: number): string {
  if (usd >= 1_000) return `$${countText(usd)}`;
  return usd === 0 || usd >= 0.01 ? `$${usd.toFixed(2)}` : `$${usd.toPrecision(2)}`;
}

/** `1 session`, `1,000 sessions`. */
export function sessionsText(count: number): string {
  return `${countText(count)} ${count === 1 ? "session" : "sessions"}`;
}

/** Returns the words of a Markdown text in one line. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/^[ \t]*([#>]+|[-*+]( \[[ xX]\])?|\d+[.)]|[-|: ]+$)[ \t]*/gm, "")
    .replace(/[*`~]+/g, "")
    .replace(/[\s|]+/g, " ")
    .trim();
}

/** How many characters at the end of an id are shown. */
const endChars = 6;

/** `sess_…w6y8z1`. A short text, or one that is no id, is not changed. */
export function shortId(id: string): string {
  const [prefix = "", rest = ""] = id.split("_", 2);
  return rest.length <= endChars + 2 ? id : `${prefix}_…${rest.slice(-endChars)}`;
}

/** Returns how much of a limit is used, from 0 to 1. */
export function shareOf(used: number, most: number): number {
  return most <= 0 ? 1 : Math.min(1, Math.max(0, used / most));
}

/** Returns an error's message, with the request's id if the platform refused, so that its log can be searched. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError) {
    const fields = error.errors
      .map(({ path, message }) => `${path}: ${message}`)
      .filter((text) => text !== error.detail);
    return [error.detail, ...fields].join(" · ") + (error.requestId === undefined ? "" : ` (${error.requestId})`);
  }
  return error instanceof Error ? error.message : String(error);
}
