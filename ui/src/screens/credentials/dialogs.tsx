import { useState } from "react";
import { call } from "../../api/client";
import { useStatus } from "../../api/me";
import type { ClientAuth } from "../../api/schema";
import { Button, useBusy } from "../../kit/button";
import { CommandLine, Copyable } from "../../kit/copy";
import { Dialog } from "../../kit/dialog";
import { Checkbox, TextField } from "../../kit/field";
import { Select } from "../../kit/select";
import { FormError } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { runCommand, serverAddress } from "./install";

interface DialogProps {
  onClose: () => void;
  onChanged: () => Promise<unknown>;
}

/** A field of a form that holds a moment, as the API wants it. */
export function momentOf(text: string): string | null {
  const date = new Date(text);
  return text === "" || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The other way round, in local time. */
export function fieldOf(moment: string | null | undefined): string {
  if (!moment) return "";
  const date = new Date(moment);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** A password and how to use it: shown once. */
export function Fresh({ id, password }: { id: string; password: string }) {
  const { data: status } = useStatus();
  return (
    <div className="secret-once">
      <b>{t.copyNow}</b>
      <dl className="facts">
        <dt>{t.id}</dt>
        <dd>
          <Copyable text={id} />
        </dd>
        <dt>{t.password}</dt>
        <dd>
          <Copyable text={password} />
        </dd>
      </dl>
      <h3>{t.installWith}</h3>
      {status && (
        <CommandLine
          text={runCommand({
            server: serverAddress(status.connect_url),
            fingerprint: status.fingerprint,
            id,
            password,
          })}
        />
      )}
    </div>
  );
}

export function AddDialog({ onClose, onChanged }: DialogProps) {
  const [id, setId] = useState("");
  const [generate, setGenerate] = useState(true);
  const [password, setPassword] = useState("");
  const [comment, setComment] = useState("");
  const [expires, setExpires] = useState("");
  const [made, setMade] = useState<{ id: string; password: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const add = () =>
    run(async () => {
      setError(null);
      try {
        const expiry = momentOf(expires);
        const answer = await call("POST /clients-auth", {
          body: { id, comment, ...(generate ? { generate } : { password }), ...(expiry ? { expires_at: expiry } : {}) },
        });
        await onChanged();
        toast.ok(t.credentialsAdded);
        if (answer) setMade(answer.data);
        else setMade({ id, password });
      } catch (failure) {
        setError(failure);
      }
    });
  if (made) {
    return (
      <Dialog title={t.credentialsAdded} dismissable={false} wide onClose={onClose}>
        <p className="muted">{t.credentialsAddedDetail}</p>
        <Fresh id={made.id} password={made.password} />
        <div className="dialog-foot">
          <Button kind="primary" onPress={onClose}>
            {t.done}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t.addCredentials} dismissable={false} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <TextField
          label={t.newCredentialsId}
          hint={t.newCredentialsHint}
          value={id}
          onChange={setId}
          autoFocus
          autoComplete="off"
        />
        <Checkbox isSelected={generate} onChange={setGenerate}>
          {t.generatePassword}
        </Checkbox>
        {!generate && (
          <TextField
            label={t.ownPassword}
            type="password"
            value={password}
            onChange={setPassword}
            autoComplete="new-password"
          />
        )}
        <TextField label={t.comment} value={comment} onChange={setComment} />
        <TextField label={t.expiry} hint={t.expiryHint} type="datetime-local" value={expires} onChange={setExpires} />
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button
            kind="primary"
            type="submit"
            busy={busy}
            isDisabled={id.length < 3 || (!generate && password.length < 3)}
          >
            {t.addCredentials}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const GRACE = [
  { id: "0", name: t.graceNone },
  { id: "3600", name: t.graceHour },
  { id: "86400", name: t.graceDay },
  { id: "604800", name: t.graceWeek },
];

export function RotateDialog({ item, onClose, onChanged }: DialogProps & { item: ClientAuth }) {
  const [grace, setGrace] = useState("86400");
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const rotate = () =>
    run(async () => {
      setError(null);
      try {
        const answer = await call("PUT /clients-auth/{client_auth_id}", {
          path: { client_auth_id: item.id },
          body: { generate: true, grace_seconds: Number(grace) },
        });
        await onChanged();
        if (answer) setMade(answer.data.password);
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog
      title={made ? t.rotated : t.rotateTitle(item.id)}
      dismissable={false}
      wide={made !== null}
      onClose={onClose}
    >
      {made ? (
        <Fresh id={item.id} password={made} />
      ) : (
        <>
          <p className="muted">{t.rotateDetail}</p>
          <Select label={t.graceLabel} value={grace} choices={GRACE} onChange={setGrace} />
        </>
      )}
      <FormError error={error} />
      <div className="dialog-foot">
        {made ? (
          <Button kind="primary" onPress={onClose}>
            {t.done}
          </Button>
        ) : (
          <>
            <Button onPress={onClose}>{t.cancel}</Button>
            <Button kind="primary" busy={busy} onPress={() => void rotate()}>
              {t.rotate.replace("…", "")}
            </Button>
          </>
        )}
      </div>
    </Dialog>
  );
}

export function EditDialog({ item, onClose, onChanged }: DialogProps & { item: ClientAuth }) {
  const [comment, setComment] = useState(item.comment);
  const [expires, setExpires] = useState(fieldOf(item.expires_at));
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const save = () =>
    run(async () => {
      setError(null);
      try {
        await call("PUT /clients-auth/{client_auth_id}", {
          path: { client_auth_id: item.id },
          body: { comment, expires_at: momentOf(expires) },
        });
        await onChanged();
        toast.ok(t.saved);
        onClose();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <Dialog title={t.editCredentials(item.id)} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextField label={t.comment} value={comment} onChange={setComment} autoFocus />
        <TextField label={t.expiry} hint={t.expiryHint} type="datetime-local" value={expires} onChange={setExpires} />
        <FormError error={error} />
        <div className="dialog-foot">
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy}>
            {t.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
