import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePlus, Eye, Lock, LockOpen, Trash2, Vault as VaultIcon } from "lucide-react";
import { useState } from "react";
import { call, callWith } from "../../api/client";
import { useCan } from "../../api/me";
import type { ListedVaultValue } from "../../api/schema";
import { session } from "../../api/session";
import { Button, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { Copyable } from "../../kit/copy";
import { Dialog } from "../../kit/dialog";
import { TextField } from "../../kit/field";
import { MoreMenu } from "../../kit/menu";
import { Failed, FormError, Loading, Notice, State } from "../../kit/states";
import { Table } from "../../kit/table";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";

type Asked = { kind: "add" } | { kind: "show" | "delete"; item: ListedVaultValue };

export function Vault() {
  const can = useCan();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  const admin = useQuery({ queryKey: ["vault", "state"], queryFn: async () => (await call("GET /vault-admin")).data });
  const isOpen = admin.data?.status === "unlocked";
  const list = useQuery({
    queryKey: ["vault", "list"],
    queryFn: async () => (await call("GET /vault")).data,
    enabled: isOpen,
  });
  const changed = () => queries.invalidateQueries({ queryKey: ["vault"] });
  const lock = () =>
    call("DELETE /vault-admin/sesame")
      .then(() => toast.ok(t.vaultLocked))
      .catch(toast.bad)
      .finally(() => void changed());

  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.vault}</h1>
        {isOpen && <span className="badge ok">{t.unlocked}</span>}
        <div className="actions">
          {isOpen && can("admin") && (
            <Button icon={<Lock />} onPress={() => void lock()}>
              {t.lock}
            </Button>
          )}
          {isOpen && (
            <Button kind="primary" icon={<CirclePlus />} onPress={() => setAsked({ kind: "add" })}>
              {t.addValue}
            </Button>
          )}
        </div>
      </header>
      <p className="page-intro">{t.vaultIntro}</p>
      <section className="panel">
        {admin.error || list.error ? (
          <Failed error={admin.error ?? list.error} retry={() => void changed()} />
        ) : !admin.data ? (
          <Loading lines={3} />
        ) : !isOpen ? (
          <Closed isNew={admin.data.init === "uninitialized"} onChanged={changed} />
        ) : !list.data ? (
          <Loading lines={3} />
        ) : list.data.length === 0 ? (
          <State icon={<VaultIcon className="mark" aria-hidden />} title={t.noValues} />
        ) : (
          <Table
            items={list.data}
            keyOf={(item) => item.id}
            columns={[
              { name: t.vaultKey, show: (item) => <code>{item.key}</code> },
              { name: t.client, show: (item) => item.client_id || <span className="muted">{t.all}</span> },
              { name: t.who, show: (item) => item.created_by },
              { name: t.created, show: (item) => <Time at={item.created_at} /> },
              {
                name: t.moreActions,
                isHidden: true,
                show: (item) => (
                  <MoreMenu
                    label={`${t.moreActions}: ${item.key}`}
                    entries={[
                      {
                        id: "show",
                        name: t.showValue,
                        icon: <Eye />,
                        onAction: () => setAsked({ kind: "show", item }),
                      },
                      {
                        id: "delete",
                        name: `${t.delete}…`,
                        icon: <Trash2 />,
                        danger: true,
                        onAction: () => setAsked({ kind: "delete", item }),
                      },
                    ]}
                  />
                ),
              },
            ]}
          />
        )}
      </section>
      {asked?.kind === "add" && <AddValue onClose={() => setAsked(null)} onChanged={changed} />}
      {asked?.kind === "show" && <ShowValue item={asked.item} onClose={() => setAsked(null)} />}
      {asked?.kind === "delete" && (
        <Confirm
          title={t.deleteValue}
          name={asked.item.key}
          action={t.delete}
          onClose={() => setAsked(null)}
          onConfirm={async () => {
            await call("DELETE /vault/{vault_value_id}", { path: { vault_value_id: String(asked.item.id) } });
            await changed();
          }}
        >
          <p>{t.deleteValueDetail}</p>
        </Confirm>
      )}
    </div>
  );
}

function Closed({ isNew, onChanged }: { isNew: boolean; onChanged: () => Promise<unknown> }) {
  const can = useCan();
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  if (!can("admin")) {
    return (
      <State icon={<Lock className="mark" aria-hidden />} title={isNew ? t.vaultNew : t.vaultIsLocked}>
        {t.vaultAskAdmin}
      </State>
    );
  }
  const open = () =>
    run(async () => {
      setError(null);
      try {
        // A wrong password here is 401 like an ended session, which it is not.
        const operation = isNew ? "POST /vault-admin/init" : "POST /vault-admin/sesame";
        await callWith(session.get().token, operation, { body: { password } });
        await onChanged();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <form
      className="panel-body stack"
      onSubmit={(event) => {
        event.preventDefault();
        void open();
      }}
    >
      <h2>{isNew ? t.vaultNew : t.vaultIsLocked}</h2>
      <Notice>{isNew ? t.vaultNewDetail : t.vaultLockedDetail}</Notice>
      <TextField
        label={t.vaultPassword}
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="off"
        {...(isNew ? { hint: t.vaultPasswordHint } : {})}
      />
      <FormError error={error} />
      <div>
        <Button kind="primary" type="submit" icon={<LockOpen />} busy={busy} isDisabled={password.length < 4}>
          {isNew ? t.setUp : t.unlock}
        </Button>
      </div>
    </form>
  );
}

function AddValue({ onClose, onChanged }: { onClose: () => void; onChanged: () => Promise<unknown> }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [client, setClient] = useState("");
  const [group, setGroup] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const add = () =>
    run(async () => {
      setError(null);
      try {
        await call("POST /vault", { body: { key, value, client_id: client, required_group: group, type: "secret" } });
        await onChanged();
        toast.ok(t.saved);
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={t.addValue} dismissable={false} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <TextField
          label={t.vaultKey}
          hint={t.vaultKeyHint(key || "KEY")}
          value={key}
          onChange={setKey}
          autoFocus
          autoComplete="off"
        />
        <TextField label={t.vaultValue} type="password" value={value} onChange={setValue} autoComplete="new-password" />
        <TextField label={t.vaultClient} value={client} onChange={setClient} />
        <TextField label={t.vaultGroup} value={group} onChange={setGroup} />
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={key === "" || value === ""}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ShowValue({ item, onClose }: { item: ListedVaultValue; onClose: () => void }) {
  const { data, error } = useQuery({
    queryKey: ["vault", "value", item.id],
    queryFn: async () =>
      (await call("GET /vault/{vault_value_id}", { path: { vault_value_id: String(item.id) } })).data,
    // A secret stays no longer than it is looked at.
    gcTime: 0,
    staleTime: 0,
  });
  return (
    <Dialog title={item.key} onClose={onClose}>
      {error ? (
        <Failed error={error} />
      ) : !data ? (
        <Loading lines={2} />
      ) : (
        <dl className="facts">
          <dt>{t.vaultValue}</dt>
          <dd>
            <Copyable text={data.value} />
          </dd>
          <dt>{t.client}</dt>
          <dd>{data.client_id || t.all}</dd>
          <dt>{t.vaultGroup}</dt>
          <dd>{data.required_group || "–"}</dd>
        </dl>
      )}
    </Dialog>
  );
}
