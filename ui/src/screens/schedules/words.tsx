import type { Schedule } from "../../api/schema";
import { t } from "../../texts/en";
import { inWords, withoutZone } from "./cron";

/** The timetable as a sentence, with the text that is stored. */
export function Timetable({ schedule }: { schedule: Schedule }) {
  const text = withoutZone(schedule.schedule);
  const zone = schedule.time_zone ? t.timeIn(schedule.time_zone) : t.timeZoneServer;
  return (
    <span className="stack none">
      <span>{inWords(text) ?? text}</span>
      <span className="muted small">
        <code>{text}</code>, {zone}
      </span>
    </span>
  );
}

/** Who it runs on, in a few words. */
export function targetWords(schedule: Schedule): string {
  if (schedule.tags) {
    const { tags = [], operator = "" } = schedule.tags;
    return t.targetTags(tags.join(", "), operator.toUpperCase() === "AND");
  }
  const parts = (schedule.group_ids ?? []).map(t.targetGroup);
  const clients = schedule.client_ids?.length ?? 0;
  if (clients > 0) parts.unshift(t.targetClients(clients));
  return parts.join(", ");
}
