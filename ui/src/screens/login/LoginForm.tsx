import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { callWith } from "../../api/client";
import { textOf } from "../../api/errors";
import { Button } from "../../kit/button";
import { Copyable, CopyButton } from "../../kit/copy";
import { Checkbox, TextField } from "../../kit/field";
import { FormError, Notice } from "../../kit/states";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { useLogin } from "./useLogin";

/** All steps of a login, as a page or in a dialog. */
export function LoginForm({ fixedUser, inDialog = false }: { fixedUser?: string; inDialog?: boolean }) {
  const login = useLogin(fixedUser);
  switch (login.step.kind) {
    case "password":
      return <PasswordStep login={login} fixedUser={fixedUser} inDialog={inDialog} />;
    case "expired":
      return <ExpiredStep login={login} password={login.step.password} />;
    case "code":
      return <CodeStep login={login} token={login.step.token} sentTo={login.step.sentTo} />;
    case "setup":
      return <SetupStep login={login} token={login.step.token} secret={login.step.secret} />;
  }
}

type Login = ReturnType<typeof useLogin>;

function PasswordStep({
  login,
  fixedUser,
  inDialog,
}: {
  login: Login;
  fixedUser: string | undefined;
  inDialog: boolean;
}) {
  const [password, setPassword] = useState("");
  return (
    <div className="stack">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void login.password(password);
        }}
      >
        <TextField
          label={t.username}
          value={login.user}
          onChange={login.setUser}
          autoComplete="username"
          isRequired
          validationBehavior="aria"
          autoFocus={!fixedUser}
          isDisabled={fixedUser !== undefined}
        />
        <TextField
          label={t.password}
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="current-password"
          isRequired
          validationBehavior="aria"
          autoFocus={fixedUser !== undefined}
        />
        <FormError error={login.error} />
        <Button
          kind="primary"
          size="large"
          type="submit"
          busy={login.busy}
          isDisabled={login.user === "" || password === ""}
        >
          {t.signIn}
        </Button>
      </form>
      <SsoButton inDialog={inDialog} />
    </div>
  );
}

function SsoButton({ inDialog }: { inDialog: boolean }) {
  const [busy, setBusy] = useState(false);
  const { data } = useQuery({
    queryKey: ["auth-provider"],
    queryFn: async () => (await callWith(null, "GET /auth/provider")).data,
    retry: 1,
  });
  if (!data?.settings_uri || data.auth_provider === "built-in") return null;
  const begin = async () => {
    setBusy(true);
    try {
      const { data: settings } = await callWith(null, "GET /auth/ext/settings");
      location.assign(settings.details.authorize_url);
    } catch (failure) {
      toast.bad(textOf(failure));
      setBusy(false);
    }
  };
  return (
    <>
      {!inDialog && <div className="or">{t.or}</div>}
      <Button size="large" busy={busy} onPress={() => void begin()}>
        {t.signInWith(data.auth_provider)}
      </Button>
    </>
  );
}

function ExpiredStep({ login, password }: { login: Login; password: string }) {
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const differ = again !== "" && fresh !== again;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (fresh === again) void login.password(password, fresh);
      }}
    >
      <Notice kind="warn">{t.expiredPassword}</Notice>
      <TextField
        label={t.newPassword}
        type="password"
        value={fresh}
        onChange={setFresh}
        autoComplete="new-password"
        autoFocus
      />
      <TextField
        label={t.repeatPassword}
        type="password"
        value={again}
        onChange={setAgain}
        autoComplete="new-password"
      />
      <FormError error={differ ? t.passwordsDiffer : login.error} />
      <Button kind="primary" size="large" type="submit" busy={login.busy} isDisabled={fresh === "" || fresh !== again}>
        {t.signIn}
      </Button>
      <Button kind="quiet" onPress={login.restart}>
        {t.back}
      </Button>
    </form>
  );
}

function CodeStep({ login, token, sentTo }: { login: Login; token: string; sentTo: string }) {
  const [code, setCode] = useState("");
  const [isRecovery, setRecovery] = useState(false);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void login.verify(token, code);
      }}
    >
      <p className="muted">{sentTo ? t.codeSent(sentTo) : t.codeFromApp}</p>
      <TextField
        key={String(isRecovery)}
        label={isRecovery ? t.recoveryCode : t.code}
        value={code}
        onChange={setCode}
        autoComplete="one-time-code"
        inputMode={isRecovery || sentTo ? "text" : "numeric"}
        inputClass="code"
        autoFocus
      />
      <FormError error={login.error} />
      <Button kind="primary" size="large" type="submit" busy={login.busy} isDisabled={code.trim() === ""}>
        {t.verify}
      </Button>
      <div className="row between">
        <Button kind="quiet" size="small" onPress={login.restart}>
          {t.back}
        </Button>
        {!sentTo && (
          <Button
            kind="quiet"
            size="small"
            onPress={() => {
              setRecovery(!isRecovery);
              setCode("");
            }}
          >
            {isRecovery ? t.useCode : t.useRecoveryCode}
          </Button>
        )}
      </div>
    </form>
  );
}

function SetupStep({
  login,
  token,
  secret,
}: {
  login: Login;
  token: string;
  secret: { secret: string; qr: string; recovery_codes?: string[] };
}) {
  const [code, setCode] = useState("");
  const [kept, setKept] = useState(false);
  const codes = secret.recovery_codes ?? [];
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void login.verify(token, code);
      }}
    >
      <h2>{t.totpSetup}</h2>
      <p className="muted">{t.totpSetupDetail}</p>
      <img className="qr" src={`data:image/png;base64,${secret.qr}`} alt={t.totpPicture} />
      <p className="small muted">
        {t.totpManual} <Copyable text={secret.secret} />
      </p>
      {codes.length > 0 && <RecoveryCodes codes={codes} />}
      {codes.length > 0 && (
        <Checkbox isSelected={kept} onChange={setKept}>
          {t.codesKept}
        </Checkbox>
      )}
      <TextField
        label={t.code}
        value={code}
        onChange={setCode}
        autoComplete="one-time-code"
        inputMode="numeric"
        inputClass="code"
      />
      <FormError error={login.error} />
      <Button
        kind="primary"
        size="large"
        type="submit"
        busy={login.busy}
        isDisabled={code.trim() === "" || (codes.length > 0 && !kept)}
      >
        {t.verify}
      </Button>
    </form>
  );
}

export function RecoveryCodes({ codes }: { codes: readonly string[] }) {
  return (
    <div className="secret-once">
      <div className="row between">
        <h3>{t.recoveryCodes}</h3>
        <CopyButton text={codes.join("\n")} />
      </div>
      <p className="small muted">{t.recoveryCodesDetail}</p>
      <div className="codes">
        {codes.map((code) => (
          <span key={code}>{code}</span>
        ))}
      </div>
    </div>
  );
}
