import { LibraryBig } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button } from "../../kit/button";
import { Checkbox, Segments, TextField } from "../../kit/field";
import { t } from "../../texts/en";
import { draftOf, type Entry } from "../library/entries";
import { PickEntry } from "../library/PickEntry";
import { useKinds } from "./kinds";
import { type Draft, hasMore } from "./order";
import { Parameters } from "./Parameters";

interface Props {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  hint?: string;
  /** Further options, shown with those that are seldom needed. */
  more?: ReactNode;
  /** What stands between the text and these. */
  children?: ReactNode;
}

/** A command or a script and how to run it. */
export function OrderFields({ draft, onChange, hint, more, children }: Props) {
  const kinds = useKinds();
  const [isOpen, setOpen] = useState(() => hasMore(draft));
  const [isPicking, setPicking] = useState(false);
  const isCommand = draft.kind === "commands";
  const take = (entry: Entry) => {
    const next = draftOf(entry);
    onChange({ ...next, queue: draft.queue });
    if (hasMore(next)) setOpen(true);
  };
  return (
    <>
      <div className="row wrap between">
        {kinds.length > 1 ? (
          <Segments
            label={t.kind}
            value={draft.kind}
            choices={[
              { id: "commands", name: t.command },
              { id: "scripts", name: t.script },
            ]}
            onChange={(kind) => onChange({ kind })}
          />
        ) : (
          <span />
        )}
        <Button size="small" icon={<LibraryBig />} onPress={() => setPicking(true)}>
          {t.fromLibrary}
        </Button>
      </div>
      <TextField
        label={isCommand ? t.command : t.script}
        lines={isCommand ? 2 : 9}
        inputClass="mono"
        placeholder={isCommand ? "uptime" : "#!/bin/sh"}
        value={draft.text}
        onChange={(text) => onChange({ text })}
        {...(hint ? { hint } : {})}
      />
      <Parameters draft={draft} onChange={onChange} />
      {children}
      {isOpen ? (
        <>
          <div className="form-row">
            <TextField
              label={t.interpreter}
              value={draft.interpreter}
              onChange={(interpreter) => onChange({ interpreter })}
              placeholder={t.interpreterHint}
            />
            <TextField label={t.cwd} value={draft.cwd} onChange={(cwd) => onChange({ cwd })} />
            <TextField
              label={t.timeoutSec}
              value={draft.timeout}
              onChange={(timeout) => onChange({ timeout: timeout.replace(/\D/g, "") })}
              inputMode="numeric"
            />
          </div>
          <Checkbox isSelected={draft.isSudo} onChange={(isSudo) => onChange({ isSudo })}>
            {t.asRoot}
          </Checkbox>
          <Checkbox isSelected={draft.queue} onChange={(queue) => onChange({ queue })}>
            {t.queueIfOffline}
          </Checkbox>
          {more}
        </>
      ) : (
        <div>
          <Button kind="quiet" size="small" onPress={() => setOpen(true)}>
            {t.advanced}
          </Button>
        </div>
      )}
      {isPicking && <PickEntry kind={draft.kind} onPick={take} onClose={() => setPicking(false)} />}
    </>
  );
}
