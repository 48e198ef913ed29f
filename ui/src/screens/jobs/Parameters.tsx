import { useQuery } from "@tanstack/react-query";
import { call } from "../../api/client";
import { useCan } from "../../api/me";
import { Checkbox, Segments, TextField } from "../../kit/field";
import { t } from "../../texts/en";
import type { Draft } from "./order";
import { type Filled, places } from "./parameters";

const NOTHING: Filled = { isVault: false, value: "" };

/** Asks for the values of the places in an order's text. Shows nothing when there are none. */
export function Parameters({ draft, onChange }: { draft: Draft; onChange: (change: Partial<Draft>) => void }) {
  const can = useCan();
  const found = places(draft.text);
  const wantsVault = found.length > 0 && can("vault");
  // A locked vault has no list, and keys can be typed all the same.
  const vault = useQuery({
    queryKey: ["vault", "list"],
    queryFn: async () => (await call("GET /vault")).data,
    enabled: wantsVault,
    retry: false,
  });
  if (found.length === 0) return null;
  const keys = [...new Set(vault.data?.map((item) => item.key) ?? [])];
  const set = (name: string, value: Filled) => onChange({ filled: { ...draft.filled, [name]: value } });
  return (
    <div className="stack tight">
      <Checkbox isSelected={draft.isFilling} onChange={(isFilling) => onChange({ isFilling })}>
        {t.fillIn}
        <br />
        <span className="muted small">{t.fillInHint}</span>
      </Checkbox>
      {draft.isFilling &&
        found.map((place) => {
          const filled = draft.filled[place.name] ?? NOTHING;
          const hint = place.default === null ? t.needsValue : t.defaultIs(place.default);
          return (
            <div className="parameter" key={place.name}>
              <TextField
                label={filled.isVault ? t.vaultKeyOf(place.name) : t.valueOf(place.name)}
                hint={hint}
                value={filled.value}
                onChange={(value) => set(place.name, { ...filled, value })}
                autoComplete="off"
                {...(filled.isVault ? { suggestions: keys, inputClass: "mono" } : {})}
              />
              {wantsVault && (
                <Segments
                  label={t.valueFrom(place.name)}
                  value={filled.isVault ? "vault" : "text"}
                  choices={[
                    { id: "text", name: t.asText },
                    { id: "vault", name: t.fromVault },
                  ]}
                  onChange={(from) => set(place.name, { isVault: from === "vault", value: "" })}
                />
              )}
            </div>
          );
        })}
    </div>
  );
}
