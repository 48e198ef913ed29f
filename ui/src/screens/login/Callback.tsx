import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { callWith } from "../../api/client";
import { session } from "../../api/session";
import { Button } from "../../kit/button";
import { FormError } from "../../kit/states";
import { LIFETIME } from "../../shell/session";
import { t } from "../../texts/en";
import { Gate } from "./Login";

/** Where the provider of single sign-on sends the browser back to. */
export function Callback() {
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>(null);
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    const given = new URLSearchParams(location.search);
    const refused = given.get("error");
    if (refused) {
      setError(given.get("error_description") ?? refused);
      return;
    }
    // Code and state are good for one login: they shall not stay in the history.
    history.replaceState(null, "", location.pathname);
    const query = { code: given.get("code") ?? "", state: given.get("state") ?? "", "token-lifetime": LIFETIME };
    callWith(null, "GET /oauth/login", { query })
      .then(({ data }) => {
        session.start(data.token);
        void navigate({ to: "/clients", replace: true });
      })
      .catch(setError);
  }, [navigate]);
  return (
    <Gate title={error ? t.ssoFailed : t.ssoEnding}>
      {error ? (
        <>
          <FormError error={error} />
          <Button kind="primary" size="large" onPress={() => void navigate({ to: "/", replace: true })}>
            {t.backToLogin}
          </Button>
        </>
      ) : (
        <span className="spinner" role="status" aria-label={t.loading} />
      )}
    </Gate>
  );
}
