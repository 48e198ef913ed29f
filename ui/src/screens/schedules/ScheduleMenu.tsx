import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Pause, Pencil, Play, StepForward, Trash2 } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import type { Schedule } from "../../api/schema";
import { Confirm } from "../../kit/confirm";
import { MoreMenu } from "../../kit/menu";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { planBody, planOf } from "./model";
import { ScheduleDialog } from "./ScheduleDialog";

/** Starts it now, and shows what it says. */
export function useRunNow(): (id: string) => Promise<void> {
  const navigate = useNavigate();
  const queries = useQueryClient();
  return async (id) => {
    try {
      const { data } = await call("POST /schedules/{schedule_id}/run", { path: { schedule_id: id } });
      toast.ok(t.runStarted);
      void queries.invalidateQueries({ queryKey: ["schedules"] });
      await navigate({ to: "/commands/$jobId", params: { jobId: data.jid } });
    } catch (error) {
      toast.bad(error);
    }
  };
}

/** What can be done with a schedule. */
export function ScheduleMenu({ schedule, onDeleted }: { schedule: Schedule; onDeleted?: () => void }) {
  const queries = useQueryClient();
  const runNow = useRunNow();
  const [asked, setAsked] = useState<"edit" | "delete" | null>(null);
  const path = { schedule_id: schedule.id };
  const changed = () => queries.invalidateQueries({ queryKey: ["schedules"] });
  const rest = async (paused: boolean) => {
    try {
      await call("PUT /schedules/{schedule_id}", { path, body: { ...planBody(planOf(schedule)), paused } });
      toast.ok(paused ? t.pausedToast : t.resumedToast);
      await changed();
    } catch (error) {
      toast.bad(error);
    }
  };
  return (
    <>
      <MoreMenu
        label={`${t.moreActions}: ${schedule.name}`}
        entries={[
          { id: "run", name: t.runNow, icon: <Play />, onAction: () => void runNow(schedule.id) },
          schedule.paused
            ? { id: "resume", name: t.resume, icon: <StepForward />, onAction: () => void rest(false) }
            : { id: "pause", name: t.pause, icon: <Pause />, onAction: () => void rest(true) },
          { id: "edit", name: t.edit, icon: <Pencil />, onAction: () => setAsked("edit") },
          {
            id: "delete",
            name: `${t.delete}…`,
            icon: <Trash2 />,
            danger: true,
            onAction: () => setAsked("delete"),
          },
        ]}
      />
      {asked === "edit" && <ScheduleDialog schedule={schedule} onClose={() => setAsked(null)} />}
      {asked === "delete" && (
        <Confirm
          title={t.deleteSchedule}
          name={schedule.name}
          warning={t.deleteScheduleDetail}
          action={t.delete}
          onClose={() => setAsked(null)}
          onConfirm={async () => {
            await call("DELETE /schedules/{schedule_id}", { path });
            toast.ok(t.scheduleDeleted);
            onDeleted?.();
            await queries.invalidateQueries({ queryKey: ["schedules", "list"] });
          }}
        />
      )}
    </>
  );
}
