import { AuditTable } from "../audit/AuditTable";

/** What was done to this client. */
export function History({ clientId }: { clientId: string }) {
  return (
    <section className="panel">
      <AuditTable filter={{ client_id: clientId }} hideClient />
    </section>
  );
}
