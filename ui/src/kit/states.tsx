import { CircleAlert, Info, LockKeyhole, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, textOf } from "../api/errors";
import { t } from "../texts/en";
import { Button } from "./button";

interface StateProps {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

/** What stands where something is missing. */
export function State({ icon, title, children, actions }: StateProps) {
  return (
    <div className="state">
      {icon}
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div className="actions">{actions}</div>}
    </div>
  );
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error instanceof ApiError && error.status === 403) return <NoPermission detail={error.text} />;
  return (
    <State
      icon={<CircleAlert className="mark" aria-hidden />}
      title={t.failed}
      actions={retry && <Button onPress={retry}>{t.tryAgain}</Button>}
    >
      {textOf(error)}
    </State>
  );
}

export function NoPermission({ detail }: { detail?: string }) {
  return (
    <State icon={<LockKeyhole className="mark" aria-hidden />} title={t.noPermission}>
      {detail ?? t.noPermissionDetail}
    </State>
  );
}

/** Grey lines in place of what is on its way. */
export function Loading({ lines = 5 }: { lines?: number }) {
  return (
    <div className="panel-body stack" role="status" aria-label={t.loading}>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className="skeleton" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Notice({ kind, children }: { kind?: "warn" | "bad"; children: ReactNode }) {
  const Icon = kind === "bad" ? CircleAlert : kind === "warn" ? TriangleAlert : Info;
  return (
    <div className={kind ? `notice ${kind}` : "notice"}>
      <Icon aria-hidden />
      <div className="grow">{children}</div>
    </div>
  );
}

export function FormError({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <div className="form-error" role="alert">
      {typeof error === "string" ? error : textOf(error)}
    </div>
  );
}
