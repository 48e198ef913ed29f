import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { call } from "../../api/client";
import { events } from "../../api/events";
import { listParams } from "../../api/list";
import { useCan, useStatus } from "../../api/me";
import { Button, useBusy } from "../../kit/button";
import { CommandLine, Copyable } from "../../kit/copy";
import { TextField } from "../../kit/field";
import { FormError, Loading, NoPermission, Notice } from "../../kit/states";
import { t } from "../../texts/en";
import { runCommand, serverAddress, serviceCommand } from "../credentials/install";

interface Made {
  id: string;
  password: string;
}

/** From nothing to a connected machine, in one page that watches for it. */
export function AddMachine() {
  const can = useCan();
  const { data: status } = useStatus();
  const [server, setServer] = useState<string | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  if (!status)
    return (
      <div className="page">
        <Loading />
      </div>
    );
  if (!can("admin"))
    return (
      <div className="page">
        <NoPermission detail={t.cannotAdd} />
      </div>
    );
  const isReadOnly = status.clients_auth_mode !== "Read Write";
  const address = server ?? serverAddress(status.connect_url);
  const shown: Made | null = made ?? (isReadOnly ? { id: t.id.toUpperCase(), password: t.passwordPlaceholder } : null);
  const install = shown && { server: address, fingerprint: status.fingerprint, ...shown };
  return (
    <div className="page" style={{ maxWidth: 860 }}>
      <header className="page-head">
        <h1>{t.addMachine}</h1>
      </header>
      <p className="page-intro">{t.addIntro}</p>
      <section className="panel">
        <div className="panel-head">
          <span className="avatar">1</span>
          <h2>{t.addStep1}</h2>
        </div>
        <div className="panel-body stack">
          <TextField label={t.serverAddress} hint={t.serverAddressHint} value={address} onChange={setServer} />
          {isReadOnly ? (
            <Notice>
              {status.clients_auth_source === "Static Credentials" ? t.credentialsStatic : t.credentialsReadOnly}
            </Notice>
          ) : made ? (
            <dl className="facts">
              <dt>{t.id}</dt>
              <dd>
                <Copyable text={made.id} />
              </dd>
              <dt>{t.password}</dt>
              <dd>
                <Copyable text={made.password} /> <span className="badge warn">{t.copyNow}</span>
              </dd>
            </dl>
          ) : (
            <NewCredentials onMade={setMade} />
          )}
        </div>
      </section>
      {install && (
        <>
          <section className="panel">
            <div className="panel-head">
              <span className="avatar">2</span>
              <h2>{t.addStep2}</h2>
            </div>
            <div className="panel-body stack">
              <p>{t.runThis}</p>
              <CommandLine text={runCommand(install)} />
              <p>{t.runAsService}</p>
              <CommandLine text={serviceCommand(install)} />
            </div>
          </section>
          {made && <Arrival id={made.id} again={() => setMade(null)} />}
        </>
      )}
    </div>
  );
}

function NewCredentials({ onMade }: { onMade: (made: Made) => void }) {
  const [name, setName] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => {
          setError(null);
          try {
            const answer = await call("POST /clients-auth", { body: { id: name.trim(), generate: true } });
            if (answer) onMade(answer.data);
          } catch (failure) {
            setError(failure);
          }
        });
      }}
    >
      <TextField
        label={t.machineName}
        hint={t.machineNameHint}
        value={name}
        onChange={setName}
        autoFocus
        autoComplete="off"
      />
      <FormError error={error} />
      <div>
        <Button kind="primary" type="submit" busy={busy} isDisabled={name.trim().length < 3}>
          {t.makeCommand}
        </Button>
      </div>
    </form>
  );
}

/** Waits for a client with these credentials; events say when to look. */
function Arrival({ id, again }: { id: string; again: () => void }) {
  const { data, refetch } = useQuery({
    queryKey: ["arrival", id],
    queryFn: async () => {
      const query = listParams({
        filter: { client_auth_id: id, connection_state: "connected" },
        fields: { resource: "clients", names: ["id", "name"] },
        limit: 1,
      });
      return (await call("GET /clients", { query })).data;
    },
  });
  const look = useRef(refetch);
  look.current = refetch;
  useEffect(
    () =>
      events.listen((event) => {
        if (event.type === "client_connected" || event.type === "missed") void look.current();
      }),
    [],
  );
  const client = data?.[0];
  return (
    <section className="panel" aria-live="polite">
      <div className="panel-head">
        <span className="avatar">3</span>
        <h2>{t.addStep3}</h2>
      </div>
      <div className="panel-body row wrap">
        {client ? (
          <>
            <CircleCheck className="icon-16" aria-hidden style={{ color: "var(--ok)" }} />
            <b className="grow break">{t.arrived(client.name || (client.id ?? ""))}</b>
            <Button onPress={again}>{t.addAnother}</Button>
            <Link className="button primary" to="/clients/$clientId" params={{ clientId: client.id ?? "" }}>
              {t.showClient}
            </Link>
          </>
        ) : (
          <>
            <span className="spinner" aria-hidden />
            <span className="muted">{t.waiting}</span>
          </>
        )}
      </div>
    </section>
  );
}
