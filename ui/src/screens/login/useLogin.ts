import { useState } from "react";
import { callWith } from "../../api/client";
import { ApiError } from "../../api/errors";
import type { LoginToken, TotpSecret } from "../../api/schema";
import { session } from "../../api/session";
import { LIFETIME } from "../../shell/session";
import { t } from "../../texts/en";

/** Where a login stands. */
export type Step =
  | { kind: "password" }
  | { kind: "expired"; password: string }
  | { kind: "code"; token: string; sentTo: string }
  | { kind: "setup"; token: string; secret: TotpSecret };

function said(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  if (error.status === 429) return t.waitLogin;
  if (error.status === 423) return t.banned;
  if (error.status === 401 && error.message === "unauthorized") return t.wrongLogin;
  return error;
}

/** The steps of a login, with password or coming back from a provider. */
export function useLogin(fixedUser?: string) {
  const [step, setStep] = useState<Step>({ kind: "password" });
  const [user, setUser] = useState(fixedUser ?? "");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const query = { "token-lifetime": LIFETIME };

  const go = async (action: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await action();
    } catch (failure) {
      setError(said(failure));
    } finally {
      setBusy(false);
    }
  };

  const next = async (login: LoginToken) => {
    if (!login.two_fa) {
      session.start(login.token);
    } else if (login.two_fa.totp_key_status === "pending") {
      const secret = await callWith(login.token, "POST /me/totp-secret");
      setStep({ kind: "setup", token: login.token, secret });
    } else {
      setStep({ kind: "code", token: login.token, sentTo: login.two_fa.send_to });
    }
  };

  return {
    step,
    user,
    setUser,
    error,
    busy,
    restart: () => {
      setStep({ kind: "password" });
      setError(null);
    },
    password: (password: string, newPassword?: string) =>
      go(async () => {
        const body = { username: user, password, ...(newPassword ? { new_password: newPassword } : {}) };
        try {
          await next((await callWith(null, "POST /login", { body, query })).data);
        } catch (failure) {
          if (failure instanceof ApiError && failure.message.includes("password has expired")) {
            setStep({ kind: "expired", password });
          } else {
            throw failure;
          }
        }
      }),
    verify: (token: string, code: string) =>
      go(async () => {
        const body = { username: user, token: code.trim() };
        await next((await callWith(token, "POST /verify-2fa", { body, query })).data);
      }),
  };
}
