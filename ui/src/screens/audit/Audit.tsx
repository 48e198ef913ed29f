import { Download } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { download } from "../../api/client";
import { containing, listParams } from "../../api/list";
import { useCan } from "../../api/me";
import { Button } from "../../kit/button";
import { SearchField } from "../../kit/field";
import { MenuPopover, MenuTrigger } from "../../kit/menu";
import { toast } from "../../kit/toast";
import { t } from "../../texts/en";
import { saveFile } from "../clients/Clients";
import { AuditTable } from "./AuditTable";

const SEARCHED = "application|action|affected_id|client_id|client_hostname|remote_ip";

export function Audit() {
  const [search, setSearch] = useState("");
  const can = useCan();
  const text = useDeferredValue(search);
  // Who is no administrator sees own entries only, and may not ask for those of others.
  const filter = { [can("admin") ? `username|${SEARCHED}` : SEARCHED]: containing(text) };
  const save = async (format: "csv" | "jsonl") => {
    const query = listParams({ filter });
    query.set("format", format);
    try {
      saveFile(`auditlog.${format}`, await download("/auditlog/export", query));
    } catch (error) {
      toast.bad(error);
    }
  };
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.audit}</h1>
        <div className="actions">
          <MenuTrigger>
            <Button icon={<Download />}>{t.exportLog}</Button>
            <MenuPopover
              label={t.exportLog}
              entries={[
                { id: "csv", name: "CSV", onAction: () => void save("csv") },
                { id: "jsonl", name: "JSON lines", onAction: () => void save("jsonl") },
              ]}
            />
          </MenuTrigger>
        </div>
      </header>
      <p className="page-intro">{t.auditIntro}</p>
      <div className="toolbar">
        <SearchField label={t.searchAudit} value={search} onChange={setSearch} />
      </div>
      <section className="panel">
        <AuditTable filter={filter} />
      </section>
    </div>
  );
}
