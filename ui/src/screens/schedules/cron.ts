import { duration } from "../../kit/time";
import { t } from "../../texts/en";

/** What a field of the line may hold. */
interface Bounds {
  min: number;
  max: number;
  names: readonly string[];
}

/** A field that was read. */
interface Field {
  values: number[];
  /** Whether it puts no limit on days. */
  star: boolean;
  isAll: boolean;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const BOUNDS: readonly Bounds[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: WEEKDAYS },
];
const MACROS: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
/** How many times of day are named one by one. */
const MOST_TIMES = 6;
const SECONDS: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

const list = new Intl.ListFormat("en", { type: "conjunction" });
const monthName = new Intl.DateTimeFormat("en", { month: "long", timeZone: "UTC" });
const weekdayName = new Intl.DateTimeFormat("en", { weekday: "long", timeZone: "UTC" });

/** Takes the time zone off the front of a timetable, where the API keeps it. */
export function withoutZone(text: string): string {
  return text.trim().replace(/^(?:CRON_)?TZ=\S*\s+/, "");
}

/** Whether the browser knows the time zone. The server has the last word. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function number(text: string, { min, max, names }: Bounds): number | null {
  const name = names.indexOf(text.toLowerCase());
  if (name >= 0) return name + min;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : null;
}

function readField(text: string, bounds: Bounds): Field | null {
  const values = new Set<number>();
  let star = false;
  for (const item of text.split(",")) {
    const [range = "", stepText, ...more] = item.split("/");
    if (more.length > 0) return null;
    const step = stepText === undefined ? 1 : /^\d+$/.test(stepText) ? Number(stepText) : 0;
    if (step < 1) return null;
    let from: number | null;
    let to: number | null;
    if (range === "*" || range === "?") {
      [from, to] = [bounds.min, bounds.max];
      if (step < 2) star = true;
    } else {
      const [low = "", high, ...rest] = range.split("-");
      if (rest.length > 0) return null;
      from = number(low, bounds);
      to = high !== undefined ? number(high, bounds) : stepText !== undefined ? bounds.max : from;
    }
    if (from === null || to === null || from > to) return null;
    for (let value = from; value <= to; value += step) values.add(value);
  }
  const sorted = [...values].sort((a, b) => a - b);
  return { values: sorted, star, isAll: sorted.length === bounds.max - bounds.min + 1 };
}

/** The step of values that begin at 0 and fill the whole evenly; 0 for others. */
function evenStep(values: readonly number[], whole: number): number {
  const step = values[1] ?? 0;
  if (values[0] !== 0 || step < 1 || whole % step !== 0 || values.length !== whole / step) return 0;
  return values.every((value, index) => value === index * step) ? step : 0;
}

function isRun(values: readonly number[]): boolean {
  return values.length > 1 && values.every((value, index) => index === 0 || value === (values[index - 1] ?? 0) + 1);
}

const two = (value: number) => String(value).padStart(2, "0");

/** When of a day, and whether that is so often that "every day" goes without saying. */
function timeWords(minutes: Field, hours: Field): [words: string, often: boolean] {
  const [minute = 0] = minutes.values;
  const step = evenStep(minutes.values, 60);
  const pace = minutes.isAll ? t.cron.everyMinute : step > 0 ? t.cron.everyMinutes(step) : null;
  if (hours.isAll) {
    if (pace) return [pace, true];
    if (minutes.values.length > 1) return [t.cron.atMinutes(list.format(minutes.values.map(String))), true];
    return [minute === 0 ? t.cron.everyHour : t.cron.everyHourAt(minute), true];
  }
  const hourStep = evenStep(hours.values, 24);
  if (minutes.values.length === 1 && hourStep > 0 && hours.values.length > 2) {
    return [t.cron.everyHours(hourStep, minute), true];
  }
  if (minutes.values.length * hours.values.length <= MOST_TIMES) {
    const times = hours.values.flatMap((hour) => minutes.values.map((each) => `${two(hour)}:${two(each)}`));
    return [t.cron.at(list.format(times)), false];
  }
  const begin = pace ?? t.cron.atMinutes(list.format(minutes.values.map(String)));
  const [first = 0] = hours.values;
  const last = hours.values[hours.values.length - 1] ?? 0;
  const during = isRun(hours.values)
    ? t.cron.between(`${two(first)}:00`, `${two(last)}:59`)
    : t.cron.inHours(list.format(hours.values.map(String)));
  return [`${begin} ${during}`, false];
}

function weekdayWords(values: readonly number[]): string {
  if (values.join() === "1,2,3,4,5") return t.cron.weekdays;
  if (values.join() === "0,6") return t.cron.weekend;
  // 4 January 1970 was a Sunday.
  return t.cron.onWeekdays(list.format(values.map((day) => weekdayName.format(Date.UTC(1970, 0, 4 + day)))));
}

function dayWords(days: Field, weekdays: Field): string | null {
  const isAnyDay = days.star || days.isAll;
  const isAnyWeekday = weekdays.star || weekdays.isAll;
  const ofMonth = t.cron.onDays(list.format(days.values.map(String)), days.values.length > 1);
  // Where both limit the days, a day that fits either of them counts: so one that allows all does away with both.
  if (isAnyDay && isAnyWeekday) return null;
  if (days.star) return weekdayWords(weekdays.values);
  if (weekdays.star) return ofMonth;
  if (isAnyDay || isAnyWeekday) return null;
  return t.cron.either(ofMonth, weekdayWords(weekdays.values));
}

function everyWords(text: string): string | null {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  let seconds = 0;
  for (const [, count, unit = "s"] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    seconds += Number(count) * (SECONDS[unit] ?? 1);
  }
  return t.cron.every(duration(Math.max(1, seconds)));
}

/** A timetable in words, without its time zone; null when it is none. */
export function inWords(timetable: string): string | null {
  const text = withoutZone(timetable);
  if (text.startsWith("@every ")) return everyWords(text.slice("@every ".length).trim());
  const fields = (MACROS[text] ?? text).split(/\s+/);
  if (fields.length !== BOUNDS.length) return null;
  const read = fields.map((field, index) => {
    const bounds = BOUNDS[index];
    return bounds ? readField(field, bounds) : null;
  });
  const [minutes, hours, days, months, weekdays] = read;
  if (!minutes || !hours || !days || !months || !weekdays) return null;
  const [time, often] = timeWords(minutes, hours);
  const parts = [time];
  const day = dayWords(days, weekdays);
  if (day) parts.push(day);
  else if (!often) parts.push(t.cron.everyDay);
  if (!months.isAll) {
    const names = months.values.map((month) => monthName.format(Date.UTC(1970, month - 1, 1)));
    parts.push(t.cron.inMonths(list.format(names)));
  }
  return parts.join(" ");
}
