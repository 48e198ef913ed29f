import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import {
  Bookmark,
  CirclePlus,
  Columns3,
  Download,
  ListFilter,
  MonitorSmartphone,
  SearchX,
  Terminal,
  Trash2,
  UsersRound,
  X,
} from "lucide-react";
import { useCallback, useDeferredValue, useEffect, useState } from "react";
import { Dialog as AriaDialog, DialogTrigger, Popover } from "react-aria-components";
import { call } from "../../api/client";
import { useCan, useStatus } from "../../api/me";
import type { Client } from "../../api/schema";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Checkbox, SearchField, Segments, TextField } from "../../kit/field";
import { MenuPopover, MenuTrigger } from "../../kit/menu";
import { Select } from "../../kit/select";
import { State } from "../../kit/states";
import { useRemembered } from "../../kit/storage";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { AccessDialog, DeleteDialog } from "./Bulk";
import { ClientTable } from "./ClientTable";
import { COLUMNS, DEFAULT_COLUMNS } from "./columns";
import { type ClientFilter, csvCell, fetchAll, isFiltered } from "./query";

const SEARCH_PAUSE_MS = 120;

export function Clients() {
  const search = useSearch({ from: "/inside/clients" }) as ClientFilter;
  const navigate = useNavigate({ from: "/clients" });
  const can = useCan();
  const [count, setCount] = useState<number>();
  const [chosen, setChosen] = useRemembered("client-columns", DEFAULT_COLUMNS);
  const [selected, setSelected] = useState<ReadonlyMap<string, string>>(new Map());
  const [asked, setAsked] = useState<"access" | "delete" | null>(null);
  const filter = useDeferredValue(search);
  const columns = COLUMNS.filter((column) => column.id === "name" || chosen.includes(column.id));

  const narrow = useCallback(
    (change: Partial<ClientFilter>) =>
      void navigate({
        search: (before: Record<string, string>) => {
          const after = { ...before, ...change };
          return Object.fromEntries(Object.entries(after).filter(([, value]) => value)) as Record<string, string>;
        },
        replace: true,
      }),
    [navigate],
  );
  const select = (client: Client, isSelected: boolean) => {
    const next = new Map(selected);
    const id = client.id ?? "";
    if (isSelected) next.set(id, client.name || id);
    else next.delete(id);
    setSelected(next);
  };
  const selectAll = async (isSelected: boolean) => {
    if (!isSelected) return setSelected(new Map());
    const all = await fetchAll(filter, ["id", "name"]).catch((error: unknown) => {
      toast.bad(error);
      return [];
    });
    setSelected(new Map(all.map((client) => [client.id ?? "", client.name || client.id || ""])));
  };

  return (
    <div className="page fill">
      <header className="page-head">
        <h1>{t.clients}</h1>
        {count !== undefined && <span className="count">{t.clientsCount(count)}</span>}
        <div className="actions">
          {can("admin") && (
            <Link to="/add" className="button primary">
              <CirclePlus aria-hidden />
              {t.addMachine}
            </Link>
          )}
        </div>
      </header>
      <div className="stack tight">
        <div className="toolbar">
          <Search value={search.q ?? ""} onChange={(q) => narrow({ q })} />
          <Segments
            label={t.state}
            value={search.state ?? "all"}
            choices={[
              { id: "all", name: t.all },
              { id: "connected", name: t.connected },
              { id: "disconnected", name: t.disconnected },
            ]}
            onChange={(state) => narrow({ state: state === "all" ? "" : state })}
          />
          <Filters filter={search} narrow={narrow} />
          <Saved
            filter={search}
            use={(saved) => void navigate({ search: saved as Record<string, string>, replace: true })}
          />
          <ColumnChoice chosen={chosen} choose={setChosen} />
          <Button
            icon={<Download />}
            onPress={() => void exportCsv(filter).catch(toast.bad)}
            aria-label={t.exportCsv}
          />
        </div>
        <Chips filter={search} narrow={narrow} />
      </div>
      {selected.size > 0 && (
        <div className="bulk" role="toolbar" aria-label={t.selected(selected.size)}>
          <span className="grow num">{t.selected(selected.size)}</span>
          {can("admin") && (
            <Button size="small" icon={<UsersRound />} onPress={() => setAsked("access")}>
              {t.setAccess}
            </Button>
          )}
          {can("commands") && (
            <Link to="/commands" search={{ clients: [...selected.keys()].join(",") } as never} className="button small">
              <Terminal aria-hidden />
              {t.runCommand}
            </Link>
          )}
          <Button size="small" icon={<Trash2 />} onPress={() => setAsked("delete")}>
            {t.delete}
          </Button>
          <Button size="small" icon={<X />} aria-label={t.clearSelection} onPress={() => setSelected(new Map())} />
        </div>
      )}
      <ClientTable
        filter={filter}
        columns={columns}
        selected={selected}
        onSelect={select}
        onSelectAll={(on) => void selectAll(on)}
        onSort={(sort) => narrow({ sort: sort === "name" ? "" : sort })}
        onCount={setCount}
        empty={<Empty filter={filter} clear={() => void navigate({ search: {}, replace: true })} />}
      />
      {asked === "access" && <AccessDialog ids={[...selected.keys()]} onClose={() => setAsked(null)} />}
      {asked === "delete" && (
        <DeleteDialog
          clients={selected}
          onClose={() => setAsked(null)}
          onDone={(gone) => setSelected(new Map([...selected].filter(([id]) => !gone.has(id))))}
        />
      )}
    </div>
  );
}

/** The field follows each key; the list follows when the typing pauses. */
function Search({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return <SearchField label={t.searchClients} value={text} onChange={setText} />;
}

const SYSTEMS = ["linux", "windows", "darwin"];

function Filters({ filter, narrow }: { filter: ClientFilter; narrow: (change: Partial<ClientFilter>) => void }) {
  const tags = useQuery({
    queryKey: ["client-tags"],
    queryFn: async () => (await call("GET /client-tags", { query: { "page[limit]": 500 } })).data,
  });
  const groups = useQuery({
    queryKey: ["client-groups"],
    queryFn: async () => (await call("GET /client-groups", { query: { "page[limit]": 500 } })).data,
  });
  const any = { id: "", name: t.anyOs };
  const named = (ids: (string | null | undefined)[]) => [any, ...ids.map((id) => ({ id: id ?? "", name: id ?? "" }))];
  return (
    <DialogTrigger>
      <Button icon={<ListFilter />}>{t.filters}</Button>
      <Popover className="popover" placement="bottom start">
        <AriaDialog className="panel-body stack" aria-label={t.filters}>
          <Select
            label={t.filterOs}
            value={filter.os ?? ""}
            choices={[
              any,
              ...SYSTEMS.map((id) => ({
                id,
                name: id === "darwin" ? "macOS" : `${id[0]?.toUpperCase()}${id.slice(1)}`,
              })),
            ]}
            onChange={(os) => narrow({ os })}
          />
          <Select
            label={t.filterTag}
            value={filter.tag ?? ""}
            choices={named(tags.data?.map((item) => item.tag) ?? [])}
            onChange={(tag) => narrow({ tag })}
          />
          <Select
            label={t.filterGroup}
            value={filter.group ?? ""}
            choices={named(groups.data?.map((item) => item.id) ?? [])}
            onChange={(group) => narrow({ group })}
          />
          <TextField label={t.filterVersion} value={filter.version ?? ""} onChange={(version) => narrow({ version })} />
        </AriaDialog>
      </Popover>
    </DialogTrigger>
  );
}

function Chips({ filter, narrow }: { filter: ClientFilter; narrow: (change: Partial<ClientFilter>) => void }) {
  const shown = (
    [
      ["os", t.filterOs],
      ["tag", t.filterTag],
      ["group", t.filterGroup],
      ["version", t.filterVersion],
    ] as const
  ).filter(([key]) => filter[key]);
  if (shown.length === 0) return null;
  return (
    <div className="chips">
      {shown.map(([key, name]) => (
        <span className="chip" key={key}>
          <span>
            {name}: {filter[key]}
          </span>
          <button type="button" aria-label={t.removeNamed(name)} onClick={() => narrow({ [key]: "" })}>
            <X aria-hidden />
          </button>
        </span>
      ))}
    </div>
  );
}

function Saved({ filter, use }: { filter: ClientFilter; use: (filter: ClientFilter) => void }) {
  const [saved, setSaved] = useRemembered<Record<string, ClientFilter>>("client-filters", {});
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState("");
  const names = Object.keys(saved).sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  return (
    <>
      <MenuTrigger>
        <Button icon={<Bookmark />}>{t.savedFilters}</Button>
        <MenuPopover
          label={t.savedFilters}
          entries={[
            ...names.map((each) => ({
              id: `use-${each}`,
              name: each,
              icon: <Bookmark />,
              onAction: () => use(saved[each] ?? {}),
            })),
            names.length === 0 && { id: "none", name: t.noSavedFilters, disabled: true, onAction: () => undefined },
            {
              id: "save",
              name: t.saveFilter,
              icon: <CirclePlus />,
              disabled: !isFiltered(filter),
              onAction: () => setNaming(true),
            },
            ...names.map((each) => ({
              id: `drop-${each}`,
              name: t.removeNamed(each),
              icon: <Trash2 />,
              danger: true,
              onAction: () => setSaved(Object.fromEntries(Object.entries(saved).filter(([other]) => other !== each))),
            })),
          ]}
        />
      </MenuTrigger>
      {naming && (
        <Dialog title={t.saveFilterTitle} onClose={() => setNaming(false)}>
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              setSaved({ ...saved, [name.trim()]: filter });
              setNaming(false);
              toast.ok(t.saved);
            }}
          >
            <TextField label={t.filterName} value={name} onChange={setName} autoFocus />
            <div className="dialog-foot">
              <Button onPress={() => setNaming(false)}>{t.cancel}</Button>
              <Button kind="primary" type="submit" isDisabled={name.trim() === ""}>
                {t.save}
              </Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

function ColumnChoice({ chosen, choose }: { chosen: readonly string[]; choose: (columns: string[]) => void }) {
  return (
    <DialogTrigger>
      <Button icon={<Columns3 />}>{t.columns}</Button>
      <Popover className="popover" placement="bottom end">
        <AriaDialog className="panel-body stack tight" aria-label={t.columns}>
          {COLUMNS.slice(1).map((column) => (
            <Checkbox
              key={column.id}
              isSelected={chosen.includes(column.id)}
              onChange={(on) => choose(on ? [...chosen, column.id] : chosen.filter((id) => id !== column.id))}
            >
              {column.name}
            </Checkbox>
          ))}
        </AriaDialog>
      </Popover>
    </DialogTrigger>
  );
}

function Empty({ filter, clear }: { filter: ClientFilter; clear: () => void }) {
  const can = useCan();
  const { data: status } = useStatus();
  if (isFiltered(filter) || (status && status.clients_connected + status.clients_disconnected > 0 && can("admin"))) {
    return (
      <State
        icon={<SearchX className="mark" aria-hidden />}
        title={t.noMatch}
        actions={<Button onPress={clear}>{t.clearFilters}</Button>}
      >
        {t.noMatchDetail}
      </State>
    );
  }
  return (
    <State
      icon={<MonitorSmartphone className="mark" aria-hidden />}
      title={t.noClients}
      actions={
        can("admin") && (
          <Link to="/add" className="button primary">
            {t.addMachine}
          </Link>
        )
      }
    >
      {t.noClientsDetail}
    </State>
  );
}

async function exportCsv(filter: ClientFilter): Promise<void> {
  const names = ["id", "name", "hostname", "os_full_name", "address", "connection_state", "version", "tags"] as const;
  const clients = await fetchAll(filter, names);
  const lines = clients.map((client) =>
    names
      .map((name) => {
        const value = client[name];
        return csvCell(Array.isArray(value) ? value.join(" ") : String(value ?? ""));
      })
      .join(","),
  );
  saveFile("clients.csv", new Blob([`${[names.join(","), ...lines].join("\r\n")}\r\n`], { type: "text/csv" }));
}

/** Hands a file to the person at the browser. */
export function saveFile(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
