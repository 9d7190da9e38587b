// A question or a message above the page. The browser keeps the focus in it, and restores it afterwards.

import { useId, useLayoutEffect, useRef, useState, type ReactNode } from "react";

interface DialogProps {
  readonly title: string;
  readonly className?: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ title, className, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // Close the dialog before it is removed, so that the browser restores the focus.
  useLayoutEffect(() => {
    const shown = element.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog ref={element} className={className} aria-labelledby={titleId} onClose={onClose}>
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

interface DialogButtonProps {
  readonly label: string;
  /** The button's label for screen readers. */
  readonly of?: string;
  readonly tone?: "primary" | "danger" | "quiet";
  readonly isOff?: boolean;
  readonly title: string;
  readonly children: (close: () => void) => ReactNode;
}

/** A button that opens a dialog. */
export function DialogButton({ label, of, tone, isOff, title, children }: DialogButtonProps) {
  const [isOpen, setOpen] = useState(false);
  const close = (): void => setOpen(false);
  return (
    <>
      <button type="button" className={tone} aria-label={of} onClick={() => setOpen(true)} disabled={isOff}>
        {label}
      </button>
      {isOpen && (
        <Dialog title={title} onClose={close}>
          {children(close)}
        </Dialog>
      )}
    </>
  );
}

interface ConfirmButtonProps extends Omit<DialogButtonProps, "children"> {
  readonly says: string;
  readonly verb: string;
  readonly onConfirm: () => void;
}

/** A button that asks for confirmation before an action that cannot be undone. */
export function ConfirmButton({ says, verb, onConfirm, ...button }: ConfirmButtonProps) {
  return (
    <DialogButton {...button}>
      {(close) => (
        <>
          <p>{says}</p>
          <div className="actions">
            <button type="button" onClick={close}>
              Keep
            </button>
            <button
              type="button"
              className={button.tone === "primary" ? "primary" : "danger"}
              onClick={() => {
                onConfirm();
                close();
              }}
            >
              {verb}
            </button>
          </div>
        </>
      )}
    </DialogButton>
  );
}
