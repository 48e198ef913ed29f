import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { textOf } from "../../api/errors";
import { Button, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { Dialog } from "../../kit/dialog";
import { FormError } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { AccessGroups } from "../client/Access";

/** Requests under way at a time, so that a bulk action does not crowd out everybody else. */
const AT_ONCE = 6;

/** Does it for each, and tells which failed and why the first did. */
export async function forEach<T>(items: readonly T[], action: (item: T) => Promise<unknown>) {
  const done: T[] = [];
  const failed: { item: T; reason: string }[] = [];
  const queue = [...items];
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await action(item);
        done.push(item);
      } catch (error) {
        failed.push({ item, reason: textOf(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work));
  return { done, failed };
}

export function DeleteDialog({
  clients,
  onClose,
  onDone,
}: {
  clients: ReadonlyMap<string, string>;
  onClose: () => void;
  onDone: (gone: ReadonlySet<string>) => void;
}) {
  const queries = useQueryClient();
  const ids = [...clients.keys()];
  return (
    <Confirm
      title={t.deleteClients(ids.length)}
      name={ids.length === 1 ? (clients.get(ids[0] ?? "") ?? "") : String(ids.length)}
      warning={t.deleteClientsDetail}
      action={t.delete}
      onClose={onClose}
      onConfirm={async () => {
        const { done, failed } = await forEach(ids, (id) =>
          call("DELETE /clients/{client_id}", { path: { client_id: id } }),
        );
        await queries.invalidateQueries({ queryKey: ["clients"] });
        onDone(new Set(done));
        if (done.length > 0) toast.ok(t.deletedClients(done.length));
        const [first] = failed;
        if (first) throw new Error(t.someFailed(failed.length, `${clients.get(first.item)}: ${first.reason}`));
      }}
    >
      <p>{t.onlyDisconnected}</p>
    </Confirm>
  );
}

export function AccessDialog({ ids, onClose }: { ids: readonly string[]; onClose: () => void }) {
  const [groups, setGroups] = useState<string[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const queries = useQueryClient();
  return (
    <Dialog title={t.setAccess} onClose={onClose}>
      <p className="muted">
        {t.selected(ids.length)}. {t.accessDetail}
      </p>
      <AccessGroups groups={groups} onChange={setGroups} />
      <FormError error={error} />
      <div className="dialog-foot">
        <Button onPress={onClose}>{t.cancel}</Button>
        <Button
          kind="primary"
          busy={busy}
          onPress={() =>
            run(async () => {
              const { failed } = await forEach(ids, (id) =>
                call("POST /clients/{client_id}/acl", {
                  path: { client_id: id },
                  body: { allowed_user_groups: groups },
                }),
              );
              await queries.invalidateQueries({ queryKey: ["clients"] });
              const [first] = failed;
              if (first) return setError(t.someFailed(failed.length, `${first.item}: ${first.reason}`));
              toast.ok(t.accessSaved);
              onClose();
            })
          }
        >
          {t.save}
        </Button>
      </div>
    </Dialog>
  );
}
