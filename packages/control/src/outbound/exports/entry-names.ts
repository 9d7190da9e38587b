// The names of an export's archive entries, in order, for export and import; see docs/session-export.md.

export const sessionEntry = "session.json";
export const bundleEntry = "version/bundle.tar.gz";
export const inputsEntry = "uploads.jsonl";

/** Returns the name of the archive entry of an uploaded file, numbered from 1. */
export function uploadEntry(number: number): string {
  return `uploads/${number}`;
}

/** Pages of lines, each numbered from 1. */
export function messagesEntry(page: number): string {
  return `conversation/messages-${String(page).padStart(5, "0")}.jsonl`;
}

export function ledgerEntry(page: number): string {
  return `conversation/ledger-${String(page).padStart(5, "0")}.jsonl`;
}
