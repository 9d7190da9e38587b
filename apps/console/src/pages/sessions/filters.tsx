// The filters above the list of sessions, and those that a person has saved.

import { sessionStatuses } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { changeQuery } from "../../data/route.ts";
import { forgetFilter, readSavedFilters, saveFilter } from "../../data/saved-filters.ts";
import { AgentField, TextFilter } from "../../parts/choice.tsx";
import { DialogButton } from "../../parts/dialog.tsx";
import { Form, FormEnd } from "../../parts/form.tsx";
import { Link } from "../../parts/link.tsx";

const starters = {
  caller: "people and programs",
  schedule: "schedules",
  batch: "batches",
  trigger: "triggers",
} as const;

export function Filters({ query }: { readonly query: URLSearchParams }) {
  const change = (name: string, value: string): void => changeQuery("/sessions", query, name, value);
  return (
    <>
      <Views query={query} />
      <Form className="filters" role="search">
        <TextFilter
          label="Text"
          placeholder="title or words"
          value={query.get("q") ?? ""}
          onChange={(text) => change("q", text)}
        />
        <AgentField none="any" value={query.get("agent_id") ?? ""} onChange={(id) => change("agent_id", id)} />
        <label>
          Started by
          <select value={query.get("started_by") ?? ""} onChange={(event) => change("started_by", event.target.value)}>
            <option value="">any</option>
            {Object.entries(starters).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Status
          <select value={query.get("status") ?? ""} onChange={(event) => change("status", event.target.value)}>
            <option value="">any</option>
            {sessionStatuses.map((status) => (
              <option key={status}>{status}</option>
            ))}
          </select>
        </label>
        <TextFilter
          label="Metadata"
          placeholder="key=value"
          isMain={false}
          value={query.get("metadata") ?? ""}
          onChange={(text) => change("metadata", text)}
        />
      </Form>
    </>
  );
}

const withoutAutomatic = "started_by=caller";

function Views({ query }: { readonly query: URLSearchParams }) {
  const { organization } = useAccount();
  const [saved, setSaved] = useState(() => readSavedFilters(organization.id));
  const current = query.toString();
  const known = [
    { name: "All", query: "", isOwn: false },
    { name: "Without batches, schedules and triggers", query: withoutAutomatic, isOwn: false },
    ...saved.map((filter) => ({ ...filter, isOwn: true })),
  ];
  const isKnown = known.some((one) => one.query === current);
  return (
    <ul className="chips views" aria-label="Saved filters">
      {known.map(({ name, query: wanted, isOwn }) => (
        <li key={name} className="tag">
          <Link
            to={`/sessions${wanted === "" ? "" : `?${wanted}`}`}
            aria-current={wanted === current ? "true" : undefined}
          >
            {name}
          </Link>
          {isOwn && (
            <button
              type="button"
              className="quiet"
              aria-label={`Delete the filter ${name}`}
              onClick={() => setSaved(forgetFilter(organization.id, name))}
            >
              ×
            </button>
          )}
        </li>
      ))}
      {!isKnown && (
        <li>
          <DialogButton label="Save this filter" tone="quiet" title="Save this filter">
            {(close) => (
              <SaveForm
                onSave={(name) => {
                  setSaved(saveFilter(organization.id, { name, query: current }));
                  close();
                }}
                onClose={close}
              />
            )}
          </DialogButton>
        </li>
      )}
    </ul>
  );
}

interface SaveFormProps {
  readonly onSave: (name: string) => void;
  readonly onClose: () => void;
}

function SaveForm({ onSave, onClose }: SaveFormProps) {
  const [name, setName] = useState("");
  return (
    <Form className="stacked" onSubmit={() => onSave(name.trim())}>
      <label>
        Name
        <input required maxLength={60} autoFocus value={name} onChange={(event) => setName(event.target.value)} />
      </label>
      <p className="faint">This browser keeps it.</p>
      <FormEnd
        action={{ isRunning: false, error: undefined }}
        verb="Save"
        isReady={name.trim() !== ""}
        onClose={onClose}
      />
    </Form>
  );
}
