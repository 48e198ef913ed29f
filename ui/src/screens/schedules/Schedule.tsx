import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, CalendarClock, Play } from "lucide-react";
import { call } from "../../api/client";
import { listParams } from "../../api/list";
import type { Schedule as ScheduleRecord } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { Failed, Loading, State } from "../../kit/states";
import { Table } from "../../kit/table";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { clientNames } from "../clients/names";
import { Counts } from "../jobs/Counts";
import { clear } from "../jobs/text";
import { ScheduleMenu, useRunNow } from "./ScheduleMenu";
import { Timetable, targetWords } from "./words";

const PAGE = 20;

/** One schedule: what it does, when it runs next, what came of it. */
export function Schedule() {
  const { scheduleId: id = "" } = useParams({ strict: false });
  const navigate = useNavigate();
  const runNow = useRunNow();
  const [busy, run] = useBusy();
  const { data, error, refetch } = useQuery({
    queryKey: ["schedules", id],
    queryFn: async () => (await call("GET /schedules/{schedule_id}", { path: { schedule_id: id } })).data,
  });
  return (
    <div className="page">
      <Link to="/schedules" className="row small muted">
        <ArrowLeft className="icon-16" aria-hidden />
        {t.schedules}
      </Link>
      {error ? (
        <div className="panel">
          <Failed error={error} retry={() => void refetch()} />
        </div>
      ) : !data ? (
        <Loading lines={8} />
      ) : (
        <>
          <header className="page-head">
            <h1>{data.name || data.id}</h1>
            {data.paused && <span className="badge warn">{t.paused}</span>}
            <span className="muted small">
              {t.created} <Time at={data.created_at} /> {t.openedBy(data.created_by)}
            </span>
            <div className="actions">
              <Button kind="primary" icon={<Play />} busy={busy} onPress={() => void run(() => runNow(id))}>
                {t.runNow}
              </Button>
              <ScheduleMenu schedule={data} onDeleted={() => void navigate({ to: "/schedules" })} />
            </div>
          </header>
          <div className="grid">
            <What schedule={data} />
            <Next schedule={data} />
          </div>
          <Runs id={id} />
        </>
      )}
    </div>
  );
}

function What({ schedule }: { schedule: ScheduleRecord }) {
  const ids = schedule.client_ids ?? [];
  const names = useQuery({
    queryKey: ["clients", "names", ids],
    queryFn: () => clientNames(ids),
    enabled: ids.length > 0,
  });
  const text = schedule.type === "script" ? clear(schedule.script ?? "") : (schedule.command ?? "");
  const parameters = Object.entries(schedule.parameters ?? {});
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.whatRuns}</h2>
      </div>
      <div className="panel-body stack">
        <pre className="output">{text}</pre>
        <dl className="facts">
          <dt>{t.targets}</dt>
          <dd>
            {!schedule.tags ? (
              <span className="tags">
                {ids.map((id) => (
                  <Link key={id} to="/clients/$clientId" params={{ clientId: id }} className="tag">
                    <span>{names.data?.[id] || id}</span>
                  </Link>
                ))}
                {(schedule.group_ids ?? []).map((group) => (
                  <span className="badge accent" key={group}>
                    {t.targetGroup(group)}
                  </span>
                ))}
              </span>
            ) : (
              targetWords(schedule)
            )}
          </dd>
          {parameters.map(([name, value]) => (
            <Fact key={name} name={name}>
              {typeof value === "string" ? <code>{value}</code> : `${t.fromVault}: ${value.vault}`}
            </Fact>
          ))}
          {schedule.interpreter && <Fact name={t.interpreter}>{schedule.interpreter}</Fact>}
          {schedule.cwd && <Fact name={t.cwd}>{schedule.cwd}</Fact>}
          {schedule.is_sudo && <Fact name={t.asRoot}>{t.yes}</Fact>}
          {schedule.queue_if_offline && <Fact name={t.queueIfOffline}>{schedule.expires ?? t.yes}</Fact>}
          {schedule.overlaps && <Fact name={t.overlaps}>{t.yes}</Fact>}
          {schedule.jitter_sec > 0 && <Fact name={t.jitter}>{schedule.jitter_sec}</Fact>}
          {schedule.missed === "once" && <Fact name={t.missed}>{t.missedOnce}</Fact>}
        </dl>
      </div>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Next({ schedule }: { schedule: ScheduleRecord }) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.nextRuns}</h2>
      </div>
      <div className="panel-body stack">
        <Timetable schedule={schedule} />
        {schedule.next_runs.length === 0 ? (
          <p className="muted">{schedule.paused ? t.noNextRuns : t.noFurtherRuns}</p>
        ) : (
          <ol className="stack tight">
            {schedule.next_runs.map((run) => (
              <li key={run} className="row between">
                <Time at={run} exact />
                <span className="muted small">
                  <Time at={run} />
                </span>
              </li>
            ))}
          </ol>
        )}
      </div>
    </section>
  );
}

function Runs({ id }: { id: string }) {
  const list = useInfiniteQuery({
    queryKey: ["schedules", id, "runs"],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      call("GET /schedules/{schedule_id}/executions", {
        path: { schedule_id: id },
        query: listParams({ limit: PAGE, offset: pageParam }),
      }),
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.data.length, 0);
      return loaded < last.meta.count ? loaded : undefined;
    },
  });
  const items = list.data?.pages.flatMap((page) => page.data);
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.runHistory}</h2>
      </div>
      {list.error ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : !items ? (
        <Loading lines={3} />
      ) : items.length === 0 ? (
        <State icon={<CalendarClock className="mark" aria-hidden />} title={t.noRuns} />
      ) : (
        <Table
          items={items}
          keyOf={(item) => `${item.due_at} ${item.handled_at}`}
          columns={[
            {
              name: t.due,
              show: (item) =>
                item.multi_job_id ? (
                  <Link to="/commands/$jobId" params={{ jobId: item.multi_job_id }}>
                    <Time at={item.due_at} exact />
                  </Link>
                ) : (
                  <Time at={item.due_at} exact />
                ),
            },
            {
              name: t.outcome,
              show: (item) =>
                item.counts ? (
                  <Counts counts={item.counts} />
                ) : (
                  <span className={item.outcome === "skipped" ? "badge warn" : "badge"}>
                    {t.outcomes[item.outcome as keyof typeof t.outcomes] ?? item.outcome}
                  </span>
                ),
            },
            {
              name: t.details,
              show: (item) => (
                <span className="muted">
                  {[item.requested_by ? t.byHand(item.requested_by) : "", item.reason].filter(Boolean).join(", ") ||
                    "–"}
                </span>
              ),
            },
          ]}
        />
      )}
      {list.hasNextPage && (
        <div className="panel-body row center">
          <Button busy={list.isFetchingNextPage} onPress={() => void list.fetchNextPage()}>
            {t.loadMore}
          </Button>
        </div>
      )}
    </section>
  );
}
