import { type ReactNode, useState } from "react";
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  Tooltip as AriaTooltip,
  TooltipTrigger,
} from "react-aria-components";

export interface ButtonProps extends Omit<AriaButtonProps, "children" | "className" | "style"> {
  kind?: "primary" | "danger" | "quiet" | "quiet-danger";
  size?: "small" | "large";
  /** Shown while the action runs; the button does nothing meanwhile. */
  busy?: boolean;
  icon?: ReactNode;
  children?: ReactNode;
}

export function Button({ kind, size, busy = false, icon, children, ...rest }: ButtonProps) {
  const classes = ["button"];
  if (kind === "quiet-danger") classes.push("quiet", "bad-text");
  else if (kind) classes.push(kind);
  if (size) classes.push(size);
  if (children === undefined) classes.push("icon");
  return (
    <AriaButton {...rest} className={classes.join(" ")} isDisabled={busy || (rest.isDisabled ?? false)}>
      {busy ? <span className="spinner" aria-hidden /> : icon}
      {children}
    </AriaButton>
  );
}

/** A button with a picture only; its name is its tooltip. */
export function IconButton({ label, icon, ...rest }: Omit<ButtonProps, "children"> & { label: string }) {
  return (
    <TooltipTrigger delay={400}>
      <Button {...rest} icon={icon} aria-label={label} />
      <AriaTooltip className="tooltip" offset={6}>
        {label}
      </AriaTooltip>
    </TooltipTrigger>
  );
}

/** Keeps a button busy while its action runs. */
export function useBusy(): [boolean, (action: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const run = async (action: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await action();
    } finally {
      setBusy(false);
    }
  };
  return [busy, run];
}
