import { Ellipsis } from "lucide-react";
import type { ReactNode } from "react";
import { Menu as AriaMenu, MenuItem as AriaMenuItem, MenuTrigger, Popover } from "react-aria-components";
import { t } from "../texts/en";
import { Button } from "./button";

export interface MenuEntry {
  id: string;
  name: string;
  icon?: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  onAction: () => void;
}

export function MenuPopover({ entries, label }: { entries: readonly (MenuEntry | false)[]; label: string }) {
  const shown = entries.filter((entry) => entry !== false);
  return (
    <Popover className="popover" placement="bottom end">
      <AriaMenu className="menu" aria-label={label}>
        {shown.map((entry) => (
          <AriaMenuItem
            key={entry.id}
            id={entry.id}
            className={entry.danger ? "menu-item bad" : "menu-item"}
            textValue={entry.name}
            isDisabled={entry.disabled ?? false}
            onAction={entry.onAction}
          >
            {entry.icon}
            {entry.name}
          </AriaMenuItem>
        ))}
      </AriaMenu>
    </Popover>
  );
}

/** The menu behind three dots. */
export function MoreMenu({ entries, label }: { entries: readonly (MenuEntry | false)[]; label?: string }) {
  if (entries.every((entry) => entry === false)) return null;
  return (
    <MenuTrigger>
      <Button kind="quiet" size="small" icon={<Ellipsis />} aria-label={label ?? t.moreActions} />
      <MenuPopover entries={entries} label={label ?? t.moreActions} />
    </MenuTrigger>
  );
}

export { MenuTrigger };
