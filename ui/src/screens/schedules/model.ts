import type { NewSchedule, Schedule } from "../../api/schema";
import { type Draft, emptyDraft, orderBody } from "../jobs/order";
import { ALL_AT_ONCE, type Pace, paceBody, paceOf } from "../jobs/pace";
import { filledOf } from "../jobs/parameters";
import { noTargets, type Targets, targetsBody, targetsOf } from "../jobs/targets";
import { clear } from "../jobs/text";
import { withoutZone } from "./cron";

/** A schedule as it is being written. */
export interface Plan {
  name: string;
  timetable: string;
  zone: string;
  draft: Draft;
  targets: Targets;
  pace: Pace;
  overlaps: boolean;
  jitter: string;
  missed: "skip" | "once";
  expires: string;
  paused: boolean;
}

export function newPlan(kind: Draft["kind"]): Plan {
  return {
    name: "",
    timetable: "",
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "",
    draft: emptyDraft(kind),
    targets: noTargets(),
    pace: ALL_AT_ONCE,
    overlaps: false,
    jitter: "0",
    missed: "skip",
    expires: "",
    paused: false,
  };
}

export function planOf(schedule: Schedule): Plan {
  const isScript = schedule.type === "script";
  return {
    name: schedule.name,
    timetable: withoutZone(schedule.schedule),
    zone: schedule.time_zone ?? "",
    draft: {
      kind: isScript ? "scripts" : "commands",
      text: isScript ? clear(schedule.script ?? "") : (schedule.command ?? ""),
      interpreter: schedule.interpreter,
      cwd: schedule.cwd,
      timeout: schedule.timeout_sec > 0 ? String(schedule.timeout_sec) : "60",
      isSudo: schedule.is_sudo,
      queue: schedule.queue_if_offline,
      isFilling: schedule.parameters !== null,
      filled: filledOf(schedule.parameters),
    },
    targets: targetsOf(schedule),
    pace: paceOf(schedule),
    overlaps: schedule.overlaps,
    jitter: String(schedule.jitter_sec),
    missed: schedule.missed === "once" ? "once" : "skip",
    expires: schedule.expires ?? "",
    paused: schedule.paused,
  };
}

/** What is stored takes the place of all that was. */
export function planBody(plan: Plan): NewSchedule {
  return {
    ...orderBody(plan.draft),
    ...targetsBody(plan.targets),
    name: plan.name.trim(),
    schedule: plan.timetable.trim(),
    time_zone: plan.zone.trim(),
    type: plan.draft.kind === "scripts" ? "script" : "command",
    ...paceBody(plan.pace),
    overlaps: plan.overlaps,
    jitter_sec: Number(plan.jitter) || 0,
    missed: plan.missed,
    paused: plan.paused,
    ...(plan.expires.trim() === "" ? {} : { expires: plan.expires.trim() }),
  };
}
