import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useCan } from "../api/me";
import { Dialog } from "../kit/dialog";
import { t } from "../texts/en";
import { places } from "./places";

/** How long after `g` the second key may come. */
const CHORD_MS = 1200;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [contenteditable], [role=dialog], [role=menu]") !== null
  );
}

/** Keys that work anywhere outside of fields and dialogs. */
export function Shortcuts() {
  const [isOpen, setOpen] = useState(false);
  const navigate = useNavigate();
  const can = useCan();
  const known = places.flatMap((group) => group.places).filter((place) => !place.needs || place.needs.some(can));

  useEffect(() => {
    let chord = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "?") {
        setOpen(true);
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      } else if (event.key === "g") {
        chord = event.timeStamp;
      } else if (event.timeStamp - chord < CHORD_MS) {
        chord = 0;
        const place = known.find((one) => one.key === event.key);
        if (place) void navigate({ to: place.to });
      }
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });

  if (!isOpen) return null;
  return (
    <Dialog title={t.shortcuts} onClose={() => setOpen(false)}>
      <dl className="shortcuts">
        <dt>
          <kbd>?</kbd>
        </dt>
        <dd>{t.shortcutHelp}</dd>
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>{t.shortcutSearch}</dd>
        {known.map((place) => (
          <div key={place.key} style={{ display: "contents" }}>
            <dt>
              <kbd>g</kbd> <span className="muted small">{t.shortcutThen}</span> <kbd>{place.key}</kbd>
            </dt>
            <dd>{t.shortcutGo(place.name)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
