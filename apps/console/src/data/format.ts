// How things are said to a person: times, sizes, durations, errors.

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

/** `just now`, `5 min ago`, `3 h ago`, then the date. */
export function agoText(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1_000;
  if (seconds < 45) return "just now";
  if (seconds < 3_600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`;
  return new Date(time).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** What went wrong, with the request's id where the platform refused: that is what its log is searched by. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError) {
    const fields = error.errors.map(({ path, message }) => `${path}: ${message}`);
    return [error.detail, ...fields].join(" · ") + (error.requestId === undefined ? "" : ` (${error.requestId})`);
  }
  return error instanceof Error ? error.message : String(error);
}
