import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { textOf } from "../api/errors";
import { t } from "../texts/en";
import { Button } from "./button";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const GOOD_MS = 4_000;
const BAD_MS = 12_000;
let toasts: readonly Toast[] = [];
let next = 0;
const watchers = new Set<() => void>();

function set(to: readonly Toast[]) {
  toasts = to;
  for (const watcher of watchers) watcher();
}

function dismiss(id: number) {
  set(toasts.filter((toast) => toast.id !== id));
}

function show(text: string, bad: boolean) {
  next += 1;
  const id = next;
  set([...toasts.slice(-3), { id, text, bad }]);
  setTimeout(() => dismiss(id), bad ? BAD_MS : GOOD_MS);
}

/** Short news in the corner, read out by screen readers. */
export const toast = {
  ok: (text: string) => show(text, false),
  bad: (error: unknown) => show(typeof error === "string" ? error : textOf(error), true),
};

export function Toasts() {
  const shown = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => toasts,
  );
  return (
    <section className="toasts" aria-live="polite" aria-label={t.notifications}>
      {shown.map((item) => (
        <div key={item.id} className={item.bad ? "toast bad" : "toast"} role={item.bad ? "alert" : undefined}>
          {item.bad ? <CircleAlert aria-hidden /> : <CircleCheck aria-hidden />}
          <p>{item.text}</p>
          <Button kind="quiet" size="small" icon={<X />} aria-label={t.close} onPress={() => dismiss(item.id)} />
        </div>
      ))}
    </section>
  );
}
