import { Play } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useCan } from "../../api/me";
import { Button, useBusy } from "../../kit/button";
import { Checkbox, Segments, TextField } from "../../kit/field";
import { FormError } from "../../kit/states";
import { t } from "../../texts/en";
import { base64 } from "./text";

export type Kind = "commands" | "scripts";

/** What both kinds of orders have in common, in the words of the API. */
export interface Order {
  command?: string;
  script?: string;
  interpreter?: string;
  cwd?: string;
  is_sudo?: boolean;
  timeout_sec?: number;
  queue_if_offline?: boolean;
  stream_result: true;
}

interface Props {
  children?: ReactNode;
  /** Whether there is somebody to run it. */
  ready?: boolean;
  onOrder: (kind: Kind, order: Order) => Promise<void>;
}

/** A command or a script and how to run it. */
export function OrderForm({ children, ready = true, onOrder }: Props) {
  const can = useCan();
  const kinds = (["commands", "scripts"] as const).filter((one) => can(one));
  const [kind, setKind] = useState<Kind>(kinds[0] ?? "commands");
  const [text, setText] = useState("");
  const [interpreter, setInterpreter] = useState("");
  const [cwd, setCwd] = useState("");
  const [timeout, setTimeoutSec] = useState("60");
  const [isSudo, setSudo] = useState(false);
  const [queue, setQueue] = useState(false);
  const [more, setMore] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const order = () =>
    run(async () => {
      setError(null);
      try {
        await onOrder(kind, {
          ...(kind === "commands" ? { command: text } : { script: base64(text) }),
          interpreter,
          cwd,
          is_sudo: isSudo,
          timeout_sec: Number(timeout) || 60,
          queue_if_offline: queue,
          stream_result: true,
        });
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void order();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && ready && text.trim() !== "") void order();
      }}
    >
      {kinds.length > 1 && (
        <Segments
          label={t.kind}
          value={kind}
          choices={[
            { id: "commands", name: t.command },
            { id: "scripts", name: t.script },
          ]}
          onChange={setKind}
        />
      )}
      <TextField
        label={kind === "commands" ? t.command : t.script}
        hint={t.runHint}
        lines={kind === "commands" ? 2 : 9}
        inputClass="mono"
        placeholder={kind === "commands" ? "uptime" : "#!/bin/sh"}
        value={text}
        onChange={setText}
      />
      {children}
      {more ? (
        <>
          <div className="form-row">
            <TextField
              label={t.interpreter}
              value={interpreter}
              onChange={setInterpreter}
              placeholder={t.interpreterHint}
            />
            <TextField label={t.cwd} value={cwd} onChange={setCwd} />
            <TextField
              label={t.timeoutSec}
              value={timeout}
              onChange={(next) => setTimeoutSec(next.replace(/\D/g, ""))}
              inputMode="numeric"
            />
          </div>
          <Checkbox isSelected={isSudo} onChange={setSudo}>
            {t.asRoot}
          </Checkbox>
          <Checkbox isSelected={queue} onChange={setQueue}>
            {t.queueIfOffline}
          </Checkbox>
        </>
      ) : (
        <div>
          <Button kind="quiet" size="small" onPress={() => setMore(true)}>
            {t.advanced}
          </Button>
        </div>
      )}
      <FormError error={error} />
      <div className="row">
        <Button kind="primary" type="submit" icon={<Play />} busy={busy} isDisabled={!ready || text.trim() === ""}>
          {t.run}
        </Button>
      </div>
    </form>
  );
}
