import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { CalendarClock, CirclePlus } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { containing, listParams } from "../../api/list";
import { useCan } from "../../api/me";
import type { LastExecution } from "../../api/schema";
import { Button } from "../../kit/button";
import { SearchField } from "../../kit/field";
import { Failed, Loading, NoPermission, State } from "../../kit/states";
import { Table } from "../../kit/table";
import { Time } from "../../kit/time";
import { t } from "../../texts/en";
import { useKinds } from "../jobs/kinds";
import { JobStatus } from "../jobs/Output";
import { ScheduleDialog } from "./ScheduleDialog";
import { ScheduleMenu } from "./ScheduleMenu";
import { Timetable, targetWords } from "./words";

const PAGE = 50;

export function Schedules() {
  const can = useCan();
  const kinds = useKinds();
  const navigate = useNavigate();
  const [isAdding, setAdding] = useState(false);
  const [search, setSearch] = useState("");
  const text = useDeferredValue(search);
  const mayAsk = can("scheduler");
  const list = useInfiniteQuery({
    queryKey: ["schedules", "list", text],
    initialPageParam: 0,
    // The answer has `data` inside `data`.
    queryFn: async ({ pageParam }) =>
      (
        await call("GET /schedules", {
          query: listParams({ filter: { name: containing(text) }, sort: "name", limit: PAGE, offset: pageParam }),
        })
      ).data,
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.data.length, 0);
      return loaded < last.meta.count ? loaded : undefined;
    },
    placeholderData: (before) => before,
    enabled: mayAsk,
  });
  const items = list.data?.pages.flatMap((page) => page.data);
  const count = list.data?.pages[0]?.meta.count;
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.schedules}</h1>
        {count !== undefined && <span className="count">{count}</span>}
        <div className="actions">
          {mayAsk && kinds.length > 0 && (
            <Button kind="primary" icon={<CirclePlus />} onPress={() => setAdding(true)}>
              {t.addSchedule}
            </Button>
          )}
        </div>
      </header>
      <p className="page-intro">{t.schedulesIntro}</p>
      {(text !== "" || (items && items.length > 0)) && (
        <div className="toolbar">
          <SearchField label={t.searchSchedules} value={search} onChange={setSearch} />
        </div>
      )}
      <section className="panel">
        {!mayAsk ? (
          <NoPermission />
        ) : list.error ? (
          <Failed error={list.error} retry={() => void list.refetch()} />
        ) : !items ? (
          <Loading />
        ) : items.length === 0 ? (
          <State icon={<CalendarClock className="mark" aria-hidden />} title={text ? t.noScheduleMatch : t.noSchedules}>
            {text ? undefined : t.noSchedulesDetail}
          </State>
        ) : (
          <Table
            items={items}
            keyOf={(schedule) => schedule.id}
            columns={[
              {
                name: t.name,
                show: (schedule) => (
                  <span className="row wrap">
                    <Link to="/schedules/$scheduleId" params={{ scheduleId: schedule.id }} className="name break">
                      {schedule.name || schedule.id}
                    </Link>
                    {schedule.paused && <span className="badge warn">{t.paused}</span>}
                  </span>
                ),
              },
              { name: t.timetable, show: (schedule) => <Timetable schedule={schedule} /> },
              { name: t.targets, show: targetWords },
              { name: t.nextRun, show: (schedule) => <Time at={schedule.next_runs[0]} exact /> },
              { name: t.lastRun, show: (schedule) => <Last last={schedule.last_execution} /> },
              {
                name: t.moreActions,
                isHidden: true,
                show: (schedule) => <ScheduleMenu schedule={schedule} />,
              },
            ]}
          />
        )}
        {list.hasNextPage && (
          <div className="panel-body row center">
            <Button busy={list.isFetchingNextPage} onPress={() => void list.fetchNextPage()}>
              {t.showMore}
            </Button>
          </div>
        )}
      </section>
      {isAdding && (
        <ScheduleDialog
          schedule={null}
          onClose={() => setAdding(false)}
          onSaved={(id) => void navigate({ to: "/schedules/$scheduleId", params: { scheduleId: id } })}
        />
      )}
    </div>
  );
}

function Last({ last }: { last: LastExecution | null }) {
  if (!last) return <span className="muted">{t.never}</span>;
  return (
    <span className="row wrap">
      {last.status ? (
        <JobStatus status={last.status} />
      ) : (
        <span className={last.success_count === last.client_count ? "badge ok" : "badge warn"}>
          {t.lastCounts(last.success_count, last.client_count)}
        </span>
      )}
      <span className="muted small">
        <Time at={last.started_at} />
      </span>
    </span>
  );
}
