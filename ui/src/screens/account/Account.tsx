import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { ApiError } from "../../api/errors";
import { useMe, useStatus } from "../../api/me";
import type { TotpSecret } from "../../api/schema";
import { session } from "../../api/session";
import { Button, useBusy } from "../../kit/button";
import { Confirm } from "../../kit/confirm";
import { Copyable } from "../../kit/copy";
import { Dialog } from "../../kit/dialog";
import { TextField } from "../../kit/field";
import { Failed, FormError, Loading } from "../../kit/states";
import { Time } from "../../kit/time";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { RecoveryCodes } from "../login/LoginForm";
import { ApiTokens } from "./ApiTokens";

export function Account() {
  const { data: me } = useMe();
  const { data: status } = useStatus();
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.account}</h1>
        {me && <span className="badge accent">{me.username}</span>}
        {me?.groups?.map((group) => (
          <span className="badge" key={group}>
            {group}
          </span>
        ))}
      </header>
      <div className="grid">
        {status && status.users_auth_source !== "Static Credentials" && <Password min={status.password_min_length} />}
        {status?.two_fa_delivery_method === "totp_authenticator_app" && <Authenticator />}
      </div>
      <ApiTokens />
      <Sessions />
    </div>
  );
}

function Password({ min }: { min: number }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, run] = useBusy();
  const change = () =>
    run(async () => {
      setError(null);
      try {
        await call("PUT /me", { body: { old_password: old, password: fresh } });
        toast.ok(t.passwordChanged);
        // The server has ended every session of this user, this one too.
        session.end();
      } catch (failure) {
        setError(failure);
      }
    });
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.changePassword}</h2>
      </div>
      <form
        className="panel-body stack"
        onSubmit={(event) => {
          event.preventDefault();
          void change();
        }}
      >
        <TextField
          label={t.oldPassword}
          type="password"
          value={old}
          onChange={setOld}
          autoComplete="current-password"
        />
        <TextField
          label={t.newPassword}
          hint={t.passwordMin(min)}
          type="password"
          value={fresh}
          onChange={setFresh}
          autoComplete="new-password"
        />
        <TextField
          label={t.repeatPassword}
          type="password"
          value={again}
          onChange={setAgain}
          autoComplete="new-password"
        />
        <FormError error={again !== "" && again !== fresh ? t.passwordsDiffer : error} />
        <div className="row end">
          <Button kind="primary" type="submit" busy={busy} isDisabled={old === "" || fresh === "" || fresh !== again}>
            {t.save}
          </Button>
        </div>
      </form>
    </section>
  );
}

function Authenticator() {
  const queries = useQueryClient();
  const [shown, setShown] = useState<TotpSecret | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [removing, setRemoving] = useState(false);
  const [busy, run] = useBusy();
  const secret = useQuery({
    queryKey: ["totp"],
    queryFn: async () => {
      try {
        await call("GET /me/totp-secret");
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return false;
        throw error;
      }
    },
  });
  const left = useQuery({
    queryKey: ["recovery-codes"],
    queryFn: async () => (await call("GET /me/recovery-codes")).data.left,
  });
  const refresh = async () => {
    await queries.invalidateQueries({ queryKey: ["totp"] });
    await queries.invalidateQueries({ queryKey: ["recovery-codes"] });
  };
  const setUp = () =>
    run(async () => {
      try {
        setShown(await call("POST /me/totp-secret"));
        await refresh();
      } catch (error) {
        toast.bad(error);
      }
    });
  const renew = () =>
    run(async () => {
      try {
        setCodes((await call("POST /me/recovery-codes")).data.codes);
        await refresh();
      } catch (error) {
        toast.bad(error);
      }
    });
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.authenticator}</h2>
        {secret.data && <span className="badge ok">{t.on}</span>}
      </div>
      <div className="panel-body stack">
        <p className="muted">{secret.data ? t.authenticatorOn : t.authenticatorOff}</p>
        {secret.data && left.data !== undefined && <p>{t.recoveryLeft(left.data)}</p>}
        <div className="row wrap">
          {secret.data ? (
            <>
              <Button busy={busy} onPress={() => void renew()}>
                {t.newRecoveryCodes}
              </Button>
              <Button kind="quiet-danger" onPress={() => setRemoving(true)}>
                {t.removeApp}
              </Button>
            </>
          ) : (
            <Button kind="primary" busy={busy} onPress={() => void setUp()}>
              {t.setUp}
            </Button>
          )}
        </div>
      </div>
      {shown && (
        <Dialog title={t.totpSetup} dismissable={false} onClose={() => setShown(null)}>
          <img className="qr" src={`data:image/png;base64,${shown.qr}`} alt={t.totpPicture} />
          <p className="small muted">
            {t.totpManual} <Copyable text={shown.secret} />
          </p>
          {shown.recovery_codes && <RecoveryCodes codes={shown.recovery_codes} />}
          <div className="dialog-foot">
            <Button kind="primary" onPress={() => setShown(null)}>
              {t.codesKept}
            </Button>
          </div>
        </Dialog>
      )}
      {codes && (
        <Dialog title={t.newRecoveryCodes} dismissable={false} onClose={() => setCodes(null)}>
          <RecoveryCodes codes={codes} />
          <div className="dialog-foot">
            <Button kind="primary" onPress={() => setCodes(null)}>
              {t.codesKept}
            </Button>
          </div>
        </Dialog>
      )}
      {removing && (
        <Confirm
          title={t.authenticator}
          action={t.removeApp}
          warning={t.removeAppDetail}
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await call("DELETE /me/totp-secret");
            await refresh();
          }}
        />
      )}
    </section>
  );
}

function Sessions() {
  const queries = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ["sessions"],
    queryFn: async () => (await call("GET /me/sessions")).data,
  });
  const end = async (id: number) => {
    try {
      await call("DELETE /me/sessions/{session_id}", { path: { session_id: String(id) } });
      toast.ok(t.sessionEnded);
      await queries.invalidateQueries({ queryKey: ["sessions"] });
    } catch (failure) {
      toast.bad(failure);
    }
  };
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t.sessions}</h2>
        <span className="muted small">{t.sessionsIntro}</span>
      </div>
      {error ? (
        <Failed error={error} />
      ) : !data ? (
        <Loading lines={2} />
      ) : (
        <div className="table-wrap">
          <table className="table cards">
            <thead>
              <tr>
                <th>{t.device}</th>
                <th>{t.from}</th>
                <th>{t.lastActive}</th>
                <th>{t.expires}</th>
                <th>
                  <span className="hidden-visually">{t.endSession}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.map((item) => (
                <tr key={item.session_id}>
                  <td className="break">
                    <span title={item.user_agent}>{browserOf(item.user_agent)}</span>{" "}
                    {item.current && <span className="badge ok">{t.thisSession}</span>}
                  </td>
                  <td data-label={t.from} className="num">
                    {item.ip_address}
                  </td>
                  <td data-label={t.lastActive}>
                    <Time at={item.last_access_at} />
                  </td>
                  <td data-label={t.expires}>
                    <Time at={item.expires_at} />
                  </td>
                  <td className="actions">
                    {!item.current && (
                      <Button kind="quiet-danger" size="small" onPress={() => void end(item.session_id)}>
                        {t.endSession}
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** The name of a browser out of what it says of itself. */
export function browserOf(agent: string): string {
  const known: [RegExp, string][] = [
    [/Edg\/(\d+)/, "Edge"],
    [/Firefox\/(\d+)/, "Firefox"],
    [/(?:Headless)?Chrom(?:e|ium)\/(\d+)/, "Chrome"],
    [/Version\/(\d+).*Safari/, "Safari"],
  ];
  for (const [pattern, name] of known) {
    const version = pattern.exec(agent)?.[1];
    if (version) {
      const system = /Windows|Android|iPhone|iPad|Mac OS X|Linux/.exec(agent)?.[0];
      return system ? `${name} ${version}, ${system}` : `${name} ${version}`;
    }
  }
  return agent || "–";
}
