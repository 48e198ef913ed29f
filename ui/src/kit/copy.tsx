import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { t } from "../texts/en";
import { IconButton } from "./button";
import { toast } from "./toast";

/** Copies a text. Over plain HTTP browsers have no clipboard for scripts, so a selected field does it there. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.className = "hidden-visually";
  (document.querySelector("[role=dialog]") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error(t.copyFailed);
}

export function CopyButton({ text, label = t.copy }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <IconButton
      kind="quiet"
      size="small"
      label={done ? t.copied : label}
      icon={done ? <Check /> : <CopyIcon />}
      onPress={() => {
        copy(text)
          .then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1600);
          })
          .catch(toast.bad);
      }}
    />
  );
}

/** A value to copy, such as an id. */
export function Copyable({ text }: { text: string }) {
  return (
    <span className="copyable">
      <code>{text}</code>
      <CopyButton text={text} />
    </span>
  );
}

/** A command to paste into a terminal. */
export function CommandLine({ text, label }: { text: string; label?: string }) {
  return (
    <div className="command-line">
      <pre>{text}</pre>
      <CopyButton text={text} {...(label ? { label } : {})} />
    </div>
  );
}
