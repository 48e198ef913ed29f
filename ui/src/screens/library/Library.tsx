import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CirclePlus, LibraryBig, Pencil, Play, Trash2 } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { call } from "../../api/client";
import { Button, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { Dialog } from "../../kit/dialog";
import { Checkbox, SearchField, Segments, TagField, TextField } from "../../kit/field";
import { MoreMenu } from "../../kit/menu";
import { Failed, FormError, Loading, State } from "../../kit/states";
import { Table } from "../../kit/table";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { Tags } from "../clients/columns";
import { useKinds } from "../jobs/kinds";
import type { Kind } from "../jobs/order";
import { type Entry, fetchEntries } from "./entries";

type Asked = { kind: "edit"; entry: Entry | null } | { kind: "delete"; entry: Entry };

export function Library() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const kinds = useKinds();
  const [chosen, setKind] = useState<Kind>("commands");
  const kind = kinds.includes(chosen) ? chosen : (kinds[0] ?? "commands");
  const [search, setSearch] = useState("");
  const [asked, setAsked] = useState<Asked | null>(null);
  const text = useDeferredValue(search);
  const { data, error, refetch } = useQuery({
    queryKey: ["library", kind, text],
    queryFn: () => fetchEntries(kind, text),
    placeholderData: (before) => before,
  });
  const changed = () => queries.invalidateQueries({ queryKey: ["library"] });
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.library}</h1>
        <div className="actions">
          <Button kind="primary" icon={<CirclePlus />} onPress={() => setAsked({ kind: "edit", entry: null })}>
            {t.addEntry}
          </Button>
        </div>
      </header>
      <p className="page-intro">{t.libraryIntro}</p>
      <div className="toolbar">
        {kinds.length > 1 && (
          <Segments
            label={t.kind}
            value={kind}
            choices={[
              { id: "commands", name: t.command },
              { id: "scripts", name: t.script },
            ]}
            onChange={setKind}
          />
        )}
        <SearchField label={t.searchLibrary} value={search} onChange={setSearch} />
      </div>
      <section className="panel">
        {error ? (
          <Failed error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : data.length === 0 ? (
          <State
            icon={<LibraryBig className="mark" aria-hidden />}
            title={text ? t.libraryEmptyPick : t.noEntriesYet}
          />
        ) : (
          <Table
            items={data}
            keyOf={(entry) => entry.id}
            columns={[
              { name: t.name, show: (entry) => entry.name },
              {
                name: kind === "commands" ? t.command : t.script,
                show: (entry) => <code className="one-line">{entry.text.split("\n")[0]?.slice(0, 100)}</code>,
              },
              { name: t.tags, show: (entry) => <Tags values={entry.tags} /> },
              { name: t.changed, show: (entry) => <Time at={entry.updatedAt} /> },
              {
                name: t.moreActions,
                isHidden: true,
                show: (entry) => (
                  <span className="row end">
                    <Button
                      size="small"
                      icon={<Play />}
                      aria-label={`${t.run}: ${entry.name}`}
                      onPress={() => void navigate({ to: "/commands", search: { library: entry.id, kind } as never })}
                    >
                      {t.run}
                    </Button>
                    <MoreMenu
                      label={`${t.moreActions}: ${entry.name}`}
                      entries={[
                        {
                          id: "edit",
                          name: t.edit,
                          icon: <Pencil />,
                          onAction: () => setAsked({ kind: "edit", entry }),
                        },
                        {
                          id: "delete",
                          name: `${t.delete}…`,
                          icon: <Trash2 />,
                          danger: true,
                          onAction: () => setAsked({ kind: "delete", entry }),
                        },
                      ]}
                    />
                  </span>
                ),
              },
            ]}
          />
        )}
      </section>
      {asked?.kind === "edit" && (
        <EntryDialog kind={kind} entry={asked.entry} onClose={() => setAsked(null)} onChanged={changed} />
      )}
      {asked?.kind === "delete" && (
        <Confirm
          title={t.deleteEntry}
          name={asked.entry.name}
          action={t.delete}
          onClose={() => setAsked(null)}
          onConfirm={async () => {
            if (kind === "commands") {
              await call("DELETE /library/commands/{command_id}", { path: { command_id: asked.entry.id } });
            } else {
              await call("DELETE /library/scripts/{script_id}", { path: { script_id: asked.entry.id } });
            }
            await changed();
          }}
        />
      )}
    </div>
  );
}

interface EntryProps {
  kind: Kind;
  entry: Entry | null;
  onClose: () => void;
  onChanged: () => Promise<unknown>;
}

function EntryDialog({ kind, entry, onClose, onChanged }: EntryProps) {
  const [name, setName] = useState(entry?.name ?? "");
  const [text, setText] = useState(entry?.text ?? "");
  const [interpreter, setInterpreter] = useState(entry?.interpreter ?? "");
  const [timeout, setTimeoutSec] = useState(String(entry?.timeout ?? 60));
  const [cwd, setCwd] = useState(entry?.cwd ?? "");
  const [isSudo, setSudo] = useState(entry?.isSudo ?? false);
  const [tags, setTags] = useState<string[]>(entry?.tags ?? []);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const save = () =>
    run(async () => {
      setError(null);
      try {
        const shared = { name, tags, timeout_sec: Number(timeout) || 60 };
        if (kind === "commands") {
          const body = { ...shared, cmd: text };
          await (entry
            ? call("PUT /library/commands/{command_id}", { path: { command_id: entry.id }, body })
            : call("POST /library/commands", { body }));
        } else {
          const body = { ...shared, script: text, interpreter, cwd, is_sudo: isSudo };
          await (entry
            ? call("PUT /library/scripts/{script_id}", { path: { script_id: entry.id }, body })
            : call("POST /library/scripts", { body }));
        }
        await onChanged();
        toast.ok(t.saved);
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={entry ? entry.name : t.addEntry} dismissable={false} wide onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextField label={t.name} value={name} onChange={setName} autoFocus={!entry} />
        <TextField
          label={kind === "commands" ? t.command : t.script}
          hint={t.parametersHint}
          lines={kind === "commands" ? 3 : 12}
          inputClass="mono"
          value={text}
          onChange={setText}
        />
        <div className="form-row">
          {kind === "scripts" && (
            <>
              <TextField
                label={t.interpreter}
                value={interpreter}
                onChange={setInterpreter}
                placeholder={t.interpreterHint}
              />
              <TextField label={t.cwd} value={cwd} onChange={setCwd} />
            </>
          )}
          <TextField
            label={t.timeoutSec}
            value={timeout}
            onChange={(next) => setTimeoutSec(next.replace(/\D/g, ""))}
            inputMode="numeric"
          />
        </div>
        {kind === "scripts" && (
          <Checkbox isSelected={isSudo} onChange={setSudo}>
            {t.asRoot}
          </Checkbox>
        )}
        <TagField label={t.tags} values={tags} onChange={setTags} />
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={name.trim() === "" || text.trim() === ""}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
