import { useSyncExternalStore } from "react";
import { t } from "../texts/en";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const localShort = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const STEPS: [limit: number, unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [86_400 * 30, "day", 86_400],
  [86_400 * 365, "month", 86_400 * 30],
  [Number.POSITIVE_INFINITY, "year", 86_400 * 365],
];

/** "3 minutes ago", "in 2 hours". */
export function relativeTime(date: Date, now: number): string {
  const seconds = Math.round((date.getTime() - now) / 1000);
  if (Math.abs(seconds) < 10) return t.justNow;
  for (const [limit, unit, size] of STEPS) {
    if (Math.abs(seconds) < limit) return relative.format(Math.trunc(seconds / size), unit);
  }
  return "";
}

/** "4 min 10 s", for countdowns. */
export function duration(seconds: number): string {
  const rest = Math.max(0, Math.floor(seconds));
  const days = Math.floor(rest / 86_400);
  const hours = Math.floor((rest % 86_400) / 3600);
  const minutes = Math.floor((rest % 3600) / 60);
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes > 0) return rest % 60 > 0 ? `${minutes} min ${rest % 60} s` : `${minutes} min`;
  return `${rest} s`;
}

/** One clock for all that counts, so that they step together. */
let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(watcher: () => void) {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, 1000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

interface TimeProps {
  at: string | null | undefined;
  exact?: boolean;
  empty?: string;
}

/** A time as people see it, with the exact UTC time on hover. */
export function Time({ at, exact = false, empty = "–" }: TimeProps) {
  const date = at ? new Date(at) : null;
  if (!date || Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1971)
    return <span className="muted">{empty}</span>;
  const utc = `${date.toISOString().replace("T", " ").replace("Z", "")} UTC`;
  return (
    <time dateTime={date.toISOString()} title={`${local.format(date)}\n${utc}`} className="num nowrap">
      {exact ? localShort.format(date) : <Ago date={date} />}
    </time>
  );
}

function Ago({ date }: { date: Date }) {
  return relativeTime(date, useNow());
}
