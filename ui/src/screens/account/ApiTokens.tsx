import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePlus, KeySquare, Trash2 } from "lucide-react";
import { useState } from "react";
import { call } from "../../api/client";
import { useCan } from "../../api/me";
import type { ApiToken } from "../../api/schema";
import { Button, IconButton, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { CommandLine } from "../../kit/copy";
import { Dialog } from "../../kit/dialog";
import { TextField } from "../../kit/field";
import { Select } from "../../kit/select";
import { Failed, FormError, Loading, State } from "../../kit/states";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { momentOf } from "../credentials/dialogs";

const SCOPES: Record<string, string> = { read: t.scopeRead, "read+write": t.scopeWrite, "clients-auth": t.scopeAuth };

export function ApiTokens() {
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [deleting, setDeleting] = useState<ApiToken | null>(null);
  const { data, error } = useQuery({
    queryKey: ["tokens"],
    queryFn: async () => (await call("GET /me/tokens")).data,
    retry: false,
  });
  const changed = () => queries.invalidateQueries({ queryKey: ["tokens"] });
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.apiTokens}</h2>
        <span className="muted small">{t.apiTokensIntro}</span>
        <div className="actions">
          {!error && (
            <Button size="small" icon={<CirclePlus />} onPress={() => setAdding(true)}>
              {t.addToken}
            </Button>
          )}
        </div>
      </div>
      {error ? (
        <Failed error={error} />
      ) : !data ? (
        <Loading lines={2} />
      ) : data.length === 0 ? (
        <State icon={<KeySquare className="mark" aria-hidden />} title={t.noTokens} />
      ) : (
        <div className="table-wrap">
          <table className="table cards">
            <thead>
              <tr>
                <th>{t.name}</th>
                <th>{t.tokenScope}</th>
                <th>{t.created}</th>
                <th>{t.expires}</th>
                <th>
                  <span className="hidden-visually">{t.delete}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.map((token) => (
                <tr key={token.prefix}>
                  <td className="break">
                    <span className="name">{token.name}</span> <code className="muted">{token.prefix}…</code>
                  </td>
                  <td data-label={t.tokenScope}>
                    <span className="badge">{SCOPES[token.scope] ?? token.scope}</span>
                  </td>
                  <td data-label={t.created}>
                    <Time at={token.created_at} />
                  </td>
                  <td data-label={t.expires}>
                    <Time at={token.expires_at} empty={t.never} />
                  </td>
                  <td className="actions">
                    <IconButton
                      kind="quiet-danger"
                      size="small"
                      label={`${t.deleteToken} ${token.name}`}
                      icon={<Trash2 />}
                      onPress={() => setDeleting(token)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && <AddToken onClose={() => setAdding(false)} onChanged={changed} />}
      {deleting && (
        <Confirm
          title={t.deleteToken}
          name={deleting.name}
          action={t.delete}
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await call("DELETE /me/tokens/{prefix}", { path: { prefix: deleting.prefix } });
            toast.ok(t.tokenDeleted);
            await changed();
          }}
        >
          <p>{t.deleteTokenDetail}</p>
        </Confirm>
      )}
    </section>
  );
}

function AddToken({ onClose, onChanged }: { onClose: () => void; onChanged: () => Promise<unknown> }) {
  const can = useCan();
  const [name, setName] = useState("");
  const [scope, setScope] = useState("read");
  const [expires, setExpires] = useState("");
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const scopes = Object.entries(SCOPES).map(([id, text]) => ({ id, name: text }));
  const add = () =>
    run(async () => {
      setError(null);
      try {
        const expiry = momentOf(expires);
        const answer = await call("POST /me/tokens", {
          body: { name, scope, ...(expiry ? { expires_at: expiry } : {}) },
        });
        setMade(answer.data.token);
        await onChanged();
      } catch (failure) {
        setError(failure);
      }
    });
  if (made) {
    return (
      <Dialog title={t.tokenMade} dismissable={false} onClose={onClose}>
        <div className="secret-once">
          <b>{t.copyNow}</b>
          <CommandLine text={made} />
        </div>
        <div className="dialog-foot">
          <Button kind="primary" onPress={onClose}>
            {t.done}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t.addToken} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <TextField label={t.name} value={name} onChange={setName} autoFocus autoComplete="off" />
        <Select
          label={t.tokenScope}
          value={scope}
          choices={can("admin") ? scopes : scopes.filter(({ id }) => id !== "clients-auth")}
          onChange={setScope}
        />
        <TextField label={t.expiry} type="datetime-local" value={expires} onChange={setExpires} />
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} isDisabled={name.trim() === ""}>
            {t.addToken}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
