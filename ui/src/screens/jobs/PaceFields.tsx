import { Checkbox, TextField } from "../../kit/field";
import { t } from "../../texts/en";
import type { Pace } from "./pace";

/** Chooses how clients take their turns. */
export function PaceFields({ pace, onChange }: { pace: Pace; onChange: (pace: Pace) => void }) {
  return (
    <>
      <Checkbox
        isSelected={pace.concurrent}
        onChange={(concurrent) => onChange({ ...pace, concurrent, abortOnError: !concurrent })}
      >
        {t.atOnce}
      </Checkbox>
      {pace.concurrent && (
        <div className="narrow">
          <TextField
            label={t.atMost}
            hint={t.atMostHint}
            value={pace.most}
            onChange={(most) => onChange({ ...pace, most: most.replace(/\D/g, "") })}
            inputMode="numeric"
          />
        </div>
      )}
    </>
  );
}
