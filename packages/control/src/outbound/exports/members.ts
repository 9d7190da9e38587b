// The names of an export's archive entries, in order, for export and import; see docs/session-export.md.

export const sessionMember = "session.json";
export const bundleMember = "version/bundle.tar.gz";
export const inputsMember = "uploads.jsonl";

/** An uploaded file, numbered from 1. */
export function uploadMember(number: number): string {
  return `uploads/${number}`;
}

/** Pages of lines, each numbered from 1. */
export function messagesMember(page: number): string {
  return `conversation/messages-${String(page).padStart(5, "0")}.jsonl`;
}

export function ledgerMember(page: number): string {
  return `conversation/ledger-${String(page).padStart(5, "0")}.jsonl`;
}
