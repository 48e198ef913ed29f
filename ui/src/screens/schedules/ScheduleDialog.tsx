import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import type { Schedule } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Checkbox, Segments, TextField } from "../../kit/field";
import { FormError } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { useKinds } from "../jobs/kinds";
import { OrderFields } from "../jobs/OrderFields";
import { isComplete } from "../jobs/order";
import { PaceFields } from "../jobs/PaceFields";
import { TargetPicker } from "../jobs/Targets";
import { hasTargets } from "../jobs/targets";
import { inWords, isZone } from "./cron";
import { newPlan, type Plan, planBody, planOf } from "./model";

const OFTEN = [
  [t.often.hourly, "0 * * * *"],
  [t.often.daily, "0 3 * * *"],
  [t.often.weekdays, "0 22 * * 1-5"],
  [t.often.weekly, "0 3 * * 0"],
  [t.often.monthly, "0 3 1 * *"],
] as const;

interface Props {
  schedule: Schedule | null;
  onClose: () => void;
  onSaved?: (id: string) => void;
}

/** Makes a schedule, or changes one. */
export function ScheduleDialog({ schedule, onClose, onSaved }: Props) {
  const kinds = useKinds();
  const queries = useQueryClient();
  const [plan, setPlan] = useState<Plan>(() => (schedule ? planOf(schedule) : newPlan(kinds[0] ?? "commands")));
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const set = (change: Partial<Plan>) => setPlan((before) => ({ ...before, ...change }));
  const ready =
    plan.name.trim() !== "" && plan.timetable.trim() !== "" && isComplete(plan.draft) && hasTargets(plan.targets);

  const save = () =>
    run(async () => {
      setError(null);
      try {
        const body = planBody(plan);
        const answer = schedule
          ? await call("PUT /schedules/{schedule_id}", { path: { schedule_id: schedule.id }, body })
          : await call("POST /schedules", { body });
        queries.setQueryData(["schedules", answer.data.id], answer.data);
        await queries.invalidateQueries({ queryKey: ["schedules"] });
        toast.ok(t.scheduleSaved);
        onClose();
        onSaved?.(answer.data.id);
      } catch (failure) {
        setError(failure);
      }
    });

  return (
    <Dialog title={schedule ? t.editSchedule(schedule.name) : t.addSchedule} dismissable={false} wide onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void save();
        }}
      >
        <TextField label={t.name} value={plan.name} onChange={(name) => set({ name })} autoFocus={!schedule} />
        <When plan={plan} set={set} />
        <OrderFields
          draft={plan.draft}
          onChange={(change) => setPlan((before) => ({ ...before, draft: { ...before.draft, ...change } }))}
          more={
            <>
              <Checkbox isSelected={plan.overlaps} onChange={(overlaps) => set({ overlaps })}>
                {t.overlaps}
              </Checkbox>
              <div className="field">
                <span className="label">{t.missed}</span>
                <Segments
                  label={t.missed}
                  value={plan.missed}
                  choices={[
                    { id: "skip", name: t.missedSkip },
                    { id: "once", name: t.missedOnce },
                  ]}
                  onChange={(missed) => set({ missed })}
                />
              </div>
              <div className="form-row">
                <TextField
                  label={t.jitter}
                  hint={t.jitterHint}
                  value={plan.jitter}
                  onChange={(jitter) => set({ jitter: jitter.replace(/\D/g, "") })}
                  inputMode="numeric"
                />
                {plan.draft.queue && (
                  <TextField
                    label={t.expiresAfter}
                    hint={t.expiresAfterHint}
                    value={plan.expires}
                    onChange={(expires) => set({ expires })}
                  />
                )}
              </div>
              <Checkbox isSelected={plan.paused} onChange={(paused) => set({ paused })}>
                {t.pausedField}
              </Checkbox>
            </>
          }
        >
          <TargetPicker targets={plan.targets} onChange={(targets) => set({ targets })} />
          <PaceFields pace={plan.pace} onChange={(pace) => set({ pace })} />
        </OrderFields>
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={!ready}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const ZONES: readonly string[] = Intl.supportedValuesOf?.("timeZone") ?? [];

/** The timetable, with what it means while it is typed. */
function When({ plan, set }: { plan: Plan; set: (change: Partial<Plan>) => void }) {
  const text = plan.timetable.trim();
  const zone = plan.zone.trim();
  const words = text === "" ? null : inWords(text);
  return (
    <>
      <div className="form-row">
        <TextField
          label={t.timetable}
          hint={t.timetableHint}
          value={plan.timetable}
          onChange={(timetable) => set({ timetable })}
          placeholder="30 4 * * *"
          inputClass="mono"
          autoComplete="off"
        />
        <TextField
          label={t.timeZone}
          hint={zone !== "" && !isZone(zone) ? t.timeZoneWrong : t.timeZoneHint}
          value={plan.zone}
          onChange={(next) => set({ zone: next })}
          suggestions={ZONES}
          autoComplete="off"
        />
      </div>
      <p className={words || text === "" ? "meaning" : "meaning bad-text"} aria-live="polite">
        {text === "" ? "" : words ? `${words}, ${zone === "" ? t.timeZoneServer : t.timeIn(zone)}.` : t.timetableWrong}
      </p>
      <div className="tags" role="group" aria-label={t.often.label}>
        {OFTEN.map(([name, timetable]) => (
          <Button key={name} size="small" kind="quiet" onPress={() => set({ timetable })}>
            {name}
          </Button>
        ))}
      </div>
    </>
  );
}
