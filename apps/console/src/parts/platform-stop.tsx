// The operators' stop: no new turns start in any organization until an operator ends the stop.

import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { DialogButton } from "./dialog.tsx";
import { Form, FormEnd } from "./form.tsx";
import { ErrorNote } from "./notes.tsx";
import { Ago } from "./time.tsx";

interface PlatformStopProps {
  /** Called when the stop has started or ended. */
  readonly onChanged?: () => void;
}

export function PlatformStop({ onChanged }: PlatformStopProps) {
  const { client } = useAccount();
  const stop = useLoaded("stop", (signal) => client.getPlatformStop({ signal }));
  const changed = (): void => {
    stop.reload();
    onChanged?.();
  };
  const resume = useAction(async () => {
    await client.resumePlatform();
    changed();
  });
  // The note keeps its space until the answer arrives.
  if (stop.value === undefined) {
    return stop.error === undefined ? (
      <div className="note">
        <button type="button" disabled>
          {"\u00a0"}
        </button>
      </div>
    ) : (
      <ErrorNote error={stop.error} retry={stop.reload} />
    );
  }
  const { stopped, reason, stopped_at: since } = stop.value;
  return (
    <>
      <div className={stopped ? "note bad" : "note"} role="status">
        <span>
          {stopped ? (
            <>
              <strong>New turns are stopped</strong> since <Ago time={since} />: {reason}
            </>
          ) : (
            "Turns start when slots are free. A stop prevents new turns of every organization; running turns finish."
          )}
        </span>
        {stopped ? (
          <button type="button" onClick={resume.run} disabled={resume.isRunning}>
            Let turns start again
          </button>
        ) : (
          <DialogButton label="Stop all turns" tone="danger" title="Stop all turns?">
            {(close) => <StopForm onClose={close} onStopped={changed} />}
          </DialogButton>
        )}
      </div>
      <ErrorNote error={resume.error} />
    </>
  );
}

function StopForm({ onClose, onStopped }: { readonly onClose: () => void; readonly onStopped: () => void }) {
  const { client } = useAccount();
  const [reason, setReason] = useState("");
  const stop = useAction(async () => {
    await client.stopPlatform({ reason });
    onClose();
    onStopped();
  });
  return (
    <>
      <p>No new turns start in any organization. Running turns finish. New messages are accepted and wait.</p>
      <Form className="stacked" onSubmit={stop.run}>
        <label>
          Reason
          <input
            required
            autoFocus
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <FormEnd action={stop} verb="Stop them" tone="danger" onClose={onClose} />
      </Form>
    </>
  );
}
