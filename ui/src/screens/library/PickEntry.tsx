import { useQuery } from "@tanstack/react-query";
import { LibraryBig } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { Button as AriaButton } from "react-aria-components";
import { Dialog } from "../../kit/dialog";
import { SearchField, Segments } from "../../kit/field";
import { Failed, Loading, State } from "../../kit/states";
import { t } from "../../texts/en";
import { useKinds } from "../jobs/kinds";
import type { Kind } from "../jobs/order";
import { type Entry, fetchEntries } from "./entries";

/** Lets somebody choose an entry of the library. */
export function PickEntry({
  kind: first,
  onPick,
  onClose,
}: {
  kind: Kind;
  onPick: (entry: Entry) => void;
  onClose: () => void;
}) {
  const kinds = useKinds();
  const [kind, setKind] = useState(first);
  const [search, setSearch] = useState("");
  const text = useDeferredValue(search);
  const { data, error } = useQuery({
    queryKey: ["library", kind, text],
    queryFn: () => fetchEntries(kind, text),
    placeholderData: (before) => before,
  });
  return (
    <Dialog title={t.fromLibraryTitle} wide onClose={onClose}>
      <div className="toolbar">
        {kinds.length > 1 && (
          <Segments
            label={t.kind}
            value={kind}
            choices={[
              { id: "commands", name: t.command },
              { id: "scripts", name: t.script },
            ]}
            onChange={setKind}
          />
        )}
        <SearchField label={t.searchLibrary} value={search} onChange={setSearch} />
      </div>
      {error ? (
        <Failed error={error} />
      ) : !data ? (
        <Loading lines={4} />
      ) : data.length === 0 ? (
        <State icon={<LibraryBig className="mark" aria-hidden />} title={t.libraryEmptyPick} />
      ) : (
        <ul className="entries">
          {data.map((entry) => (
            <li key={entry.id}>
              <AriaButton
                className="entry"
                onPress={() => {
                  onPick(entry);
                  onClose();
                }}
              >
                <b>{entry.name}</b>
                <code className="clip">{entry.text.split("\n")[0]?.slice(0, 120)}</code>
              </AriaButton>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
