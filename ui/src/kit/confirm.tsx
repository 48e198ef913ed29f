import { type ReactNode, useState } from "react";
import { t } from "../texts/en";
import { Button, useBusy } from "./button";
import { Dialog } from "./dialog";
import { TextField } from "./field";
import { FormError, Notice } from "./states";

interface ConfirmProps {
  title: string;
  children?: ReactNode;
  /** What has to be typed first. Without it a click is enough. */
  name?: string;
  warning?: ReactNode;
  action: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is destroyed. It stays open when that fails, with the reason. */
export function Confirm({ title, children, name, warning, action, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const ready = name === undefined || typed === name;
  const confirm = () =>
    run(async () => {
      setError(null);
      try {
        await onConfirm();
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={title} onClose={onClose} role="alertdialog">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void confirm();
        }}
      >
        {children && <div>{children}</div>}
        {warning && <Notice kind="warn">{warning}</Notice>}
        {name !== undefined && (
          <TextField
            label={t.typeToConfirm(name)}
            value={typed}
            onChange={setTyped}
            autoFocus
            autoComplete="off"
            inputClass="mono"
          />
        )}
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="danger" type="submit" isDisabled={!ready} busy={busy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
