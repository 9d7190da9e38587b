// The entries of an exported session, in their order; docs/session-export.md. Export and import both go by these names.

export const sessionEntry = "session.json";
export const bundleEntry = "version/bundle.tar.gz";
export const inputsEntry = "uploads.jsonl";

/** An uploaded file's bytes, numbered from 1. */
export function uploadEntry(number: number): string {
  return `uploads/${number}`;
}

/** Pages of lines, numbered from 1 each. */
export function messagesEntry(page: number): string {
  return `conversation/messages-${String(page).padStart(5, "0")}.jsonl`;
}

export function ledgerEntry(page: number): string {
  return `conversation/ledger-${String(page).padStart(5, "0")}.jsonl`;
}
