import { useMe } from "../../api/me";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { signOut, useSession } from "../../shell/session";
import { t } from "../../texts/en";
import { LoginForm } from "./LoginForm";

/** Asks for a new login over the page that is open, so that what was typed there stays. */
export function SessionOver() {
  const { expired } = useSession();
  const { data: me } = useMe();
  if (!expired) return null;
  return (
    <Dialog title={t.sessionOver} closable={false} onClose={() => undefined}>
      <p className="muted">{t.sessionOverDetail}</p>
      <LoginForm inDialog {...(me ? { fixedUser: me.username } : {})} />
      <Button kind="quiet" onPress={() => void signOut()}>
        {t.signOut}
      </Button>
    </Dialog>
  );
}
