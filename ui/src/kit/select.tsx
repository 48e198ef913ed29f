import { Check, ChevronDown } from "lucide-react";
import {
  Select as AriaSelect,
  Button,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
} from "react-aria-components";
import { t } from "../texts/en";

export interface Choice {
  id: string;
  name: string;
}

interface SelectProps {
  label: string;
  value: string | null;
  choices: readonly Choice[];
  onChange: (id: string) => void;
  placeholder?: string;
  hint?: string;
  hideLabel?: boolean;
}

export function Select({ label, value, choices, onChange, placeholder, hint, hideLabel }: SelectProps) {
  return (
    <AriaSelect
      className="field"
      value={value}
      onChange={(key) => key !== null && onChange(String(key))}
      placeholder={placeholder ?? t.choose}
      {...(hideLabel ? { "aria-label": label } : {})}
    >
      {!hideLabel && <Label className="label">{label}</Label>}
      <Button className="select-button">
        <SelectValue />
        <ChevronDown aria-hidden />
      </Button>
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      <Popover className="popover">
        <ListBox className="menu" items={choices}>
          {(choice) => (
            <ListBoxItem className="menu-item" id={choice.id} textValue={choice.name}>
              {({ isSelected }) => (
                <>
                  <span className="clip">{choice.name}</span>
                  {isSelected && <Check className="check" aria-hidden />}
                </>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}
