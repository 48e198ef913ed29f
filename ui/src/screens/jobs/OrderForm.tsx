import { Play } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button, useBusy } from "../../kit/button";
import { FormError } from "../../kit/states";
import { t } from "../../texts/en";
import { useKinds } from "./kinds";
import { OrderFields } from "./OrderFields";
import { type Draft, emptyDraft, isComplete, type Order, orderBody } from "./order";

interface Props {
  children?: ReactNode;
  /** Whether there is somebody to run it. */
  ready?: boolean;
  /** What the form begins with. */
  initial?: Draft | undefined;
  onOrder: (draft: Draft, order: Order & { stream_result: true }) => Promise<void>;
}

/** Asks for a command or a script, and runs it. */
export function OrderForm({ children, ready = true, initial, onOrder }: Props) {
  const kinds = useKinds();
  const [typed, setDraft] = useState<Draft>(() => initial ?? emptyDraft("commands"));
  // Which kinds are allowed may be known later than the form is drawn.
  const [only] = kinds;
  const draft = only && !kinds.includes(typed.kind) ? { ...typed, kind: only } : typed;
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const canRun = ready && isComplete(draft);
  const order = () =>
    run(async () => {
      setError(null);
      try {
        await onOrder(draft, { ...orderBody(draft), stream_result: true });
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (canRun && !busy) void order();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && canRun && !busy) void order();
      }}
    >
      <OrderFields
        draft={draft}
        onChange={(change) => setDraft((before) => ({ ...before, ...change }))}
        hint={t.runHint}
      >
        {children}
      </OrderFields>
      <FormError error={error} />
      <div className="row">
        <Button kind="primary" type="submit" icon={<Play />} busy={busy} isDisabled={!canRun}>
          {t.run}
        </Button>
      </div>
    </form>
  );
}
