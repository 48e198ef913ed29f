import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type CSSProperties, useEffect, useRef, useState } from "react";
import type { Client } from "../../api/schema";
import { Checkbox } from "../../kit/field";
import { Failed, Loading } from "../../kit/states";
import { t } from "../../texts/en";
import type { Column } from "./columns";
import { type ClientFilter, fetchPage, PAGE } from "./query";

const ROW = 46;
const ROW_PHONE = 62;
const AHEAD = 12;
const PHONE = "(max-width: 720px)";

function usePhone(): boolean {
  const [is, set] = useState(() => matchMedia(PHONE).matches);
  useEffect(() => {
    const query = matchMedia(PHONE);
    const change = () => set(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return is;
}

interface Props {
  filter: ClientFilter;
  columns: readonly Column[];
  selected: ReadonlyMap<string, string>;
  onSelect: (client: Client, isSelected: boolean) => void;
  onSelectAll: (isSelected: boolean) => void;
  onSort: (sort: string) => void;
  onCount: (count: number) => void;
  empty: React.ReactNode;
}

/** The clients, of which only those in sight are rendered and only their pages are asked for. */
export function ClientTable({ filter, columns, selected, onSelect, onSelectAll, onSort, onCount, empty }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const isPhone = usePhone();
  const height = isPhone ? ROW_PHONE : ROW;
  const [known, setKnown] = useState(0);
  const virtual = useVirtualizer({
    count: known,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: AHEAD,
  });
  const rows = virtual.getVirtualItems();
  const first = Math.floor((rows[0]?.index ?? 0) / PAGE);
  const last = Math.floor((rows[rows.length - 1]?.index ?? 0) / PAGE);
  const pages = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const results = useQueries({
    queries: pages.map((page) => ({
      queryKey: ["clients", filter, page],
      queryFn: ({ signal }: { signal: AbortSignal }) => fetchPage(filter, page, signal),
      placeholderData: keepPreviousData,
    })),
  });
  const answered = results.find((result) => result.data);
  const count = answered?.data?.meta.count;
  const error = results.find((result) => result.error)?.error;

  useEffect(() => {
    if (count === undefined) return;
    setKnown(count);
    onCount(count);
  }, [count, onCount]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter begins at its top
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 });
  }, [JSON.stringify(filter)]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height are measured anew
  useEffect(() => virtual.measure(), [height]);

  const at = (index: number): Client | undefined => {
    const page = Math.floor(index / PAGE);
    return results[page - first]?.data?.data[index - page * PAGE];
  };

  const isAll = known > 0 && selected.size >= known;
  const style = {
    "--columns": `44px ${columns.map((column) => column.width).join(" ")}`,
    "--least": `${44 + columns.length * 118}px`,
    "--row-height": `${height}px`,
  } as CSSProperties;

  if (error && known === 0)
    return (
      <div className="panel vtable">
        <Failed error={error} />
      </div>
    );
  return (
    <div className="panel vtable" style={style}>
      <div
        className="vscroll"
        ref={scroller}
        role="table"
        aria-label={t.clients}
        aria-rowcount={known + 1}
        tabIndex={0}
      >
        <div className="vhead" role="row" aria-rowindex={1}>
          <div role="columnheader">
            <Checkbox
              aria-label={t.selectAll}
              isSelected={isAll}
              isIndeterminate={!isAll && selected.size > 0}
              onChange={onSelectAll}
            />
          </div>
          {columns.map((column) => (
            <Head key={column.id} column={column} sort={filter.sort ?? "name"} onSort={onSort} />
          ))}
        </div>
        {count === undefined && !error && <Loading lines={10} />}
        {count === 0 && empty}
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {rows.map((row) => {
            const client = at(row.index);
            const isSelected = client !== undefined && selected.has(client.id ?? "");
            return (
              <div
                key={row.key}
                role="row"
                aria-rowindex={row.index + 2}
                aria-selected={isSelected}
                className="vrow"
                style={{ transform: `translateY(${row.start}px)` }}
              >
                {client ? (
                  <Row
                    client={client}
                    columns={columns}
                    isPhone={isPhone}
                    isSelected={isSelected}
                    onSelect={onSelect}
                  />
                ) : (
                  <div role="cell" style={{ gridColumn: "1 / -1" }}>
                    <div className="skeleton" style={{ width: `${40 + ((row.index * 13) % 40)}%` }} />
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  client: Client;
  columns: readonly Column[];
  isPhone: boolean;
  isSelected: boolean;
  onSelect: Props["onSelect"];
}

function Row({ client, columns, isPhone, isSelected, onSelect }: RowProps) {
  const name = client.name || client.id || "";
  const box = (
    <div role="cell">
      <Checkbox aria-label={t.selectRow(name)} isSelected={isSelected} onChange={(on) => onSelect(client, on)} />
    </div>
  );
  if (isPhone) {
    return (
      <>
        {box}
        <div role="cell" className="cell-name">
          {columns[0]?.show(client)}
        </div>
        <div role="cell" className="cell-phone">
          {[client.os_full_name || client.os, client.address].filter(Boolean).join(" · ")}
        </div>
      </>
    );
  }
  return (
    <>
      {box}
      {columns.map((column) => (
        <div role="cell" key={column.id}>
          {column.show(client)}
        </div>
      ))}
    </>
  );
}

function Head({ column, sort, onSort }: { column: Column; sort: string; onSort: (sort: string) => void }) {
  const isUp = sort === column.sort;
  const isDown = sort === `-${column.sort}`;
  const by = column.sort;
  return (
    <div role="columnheader" aria-sort={isUp ? "ascending" : isDown ? "descending" : "none"}>
      {by ? (
        <button type="button" onClick={() => onSort(isUp ? `-${by}` : by)}>
          {column.name}
          {isUp && <ArrowUp aria-hidden />}
          {isDown && <ArrowDown aria-hidden />}
        </button>
      ) : (
        column.name
      )}
    </div>
  );
}
