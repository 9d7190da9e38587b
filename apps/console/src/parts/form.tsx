// Forms that this page handles itself, and the buttons at the end of one in a dialog.

import type { ComponentProps } from "react";
import type { Action } from "../data/action.ts";
import { ErrorNote } from "./notes.tsx";

interface FormProps extends Omit<ComponentProps<"form">, "onSubmit"> {
  readonly onSubmit?: () => void;
}

/** A form that the browser does not send. */
export function Form({ onSubmit, ...form }: FormProps) {
  return (
    <form
      {...form}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit?.();
      }}
    />
  );
}

interface FormEndProps {
  /** The label of the submit button. */
  readonly action: Pick<Action<[]>, "isRunning" | "error">;
  readonly verb: string;
  readonly tone?: "primary" | "danger";
  readonly isReady?: boolean;
  readonly onClose: () => void;
}

/** The error, the button to cancel, and the button to submit. */
export function FormEnd({ action, verb, tone = "primary", isReady = true, onClose }: FormEndProps) {
  return (
    <>
      <ErrorNote error={action.error} />
      <div className="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className={tone} disabled={action.isRunning || !isReady}>
          {verb}
        </button>
      </div>
    </>
  );
}
