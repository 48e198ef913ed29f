import { Check, Eye, EyeOff, Minus, Search, X } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import {
  Checkbox as AriaCheckbox,
  type CheckboxProps as AriaCheckboxProps,
  SearchField as AriaSearchField,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
  Button,
  FieldError,
  Input,
  Label,
  Text,
  TextArea,
  ToggleButton,
  ToggleButtonGroup,
} from "react-aria-components";
import { t } from "../texts/en";

interface TextFieldProps extends Omit<AriaTextFieldProps, "className" | "style" | "children"> {
  label: string;
  hint?: ReactNode;
  placeholder?: string;
  inputClass?: string;
  /** Lines of a longer text. */
  lines?: number;
  /** What the browser offers while somebody types. */
  suggestions?: readonly string[];
}

export function TextField({
  label,
  hint,
  placeholder,
  inputClass = "",
  lines,
  type,
  suggestions,
  ...rest
}: TextFieldProps) {
  const [shown, setShown] = useState(false);
  const listId = useId();
  const isPassword = type === "password";
  const kind = isPassword && shown ? "text" : type;
  return (
    <AriaTextField {...rest} {...(kind ? { type: kind } : {})} className="field">
      <Label>{label}</Label>
      {lines ? (
        <TextArea className={`input ${inputClass}`} rows={lines} placeholder={placeholder ?? ""} spellCheck={false} />
      ) : (
        <div className="input-group">
          <Input
            className={`input ${inputClass}`}
            placeholder={placeholder ?? ""}
            spellCheck={false}
            {...(suggestions ? { list: listId } : {})}
          />
          {suggestions && (
            <datalist id={listId}>
              {suggestions.map((suggestion) => (
                <option key={suggestion} value={suggestion} />
              ))}
            </datalist>
          )}
          {isPassword && (
            <Button
              className="button quiet small icon"
              aria-label={shown ? t.hidePassword : t.showPassword}
              onPress={() => setShown(!shown)}
            >
              {shown ? <EyeOff /> : <Eye />}
            </Button>
          )}
        </div>
      )}
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      <FieldError className="error" />
    </AriaTextField>
  );
}

interface SearchFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  id?: string;
}

export function SearchField({ label, value, onChange, placeholder, id }: SearchFieldProps) {
  return (
    <AriaSearchField className="field search" aria-label={label} value={value} onChange={onChange}>
      <div className="input-group">
        <Search aria-hidden />
        <Input className="input" placeholder={placeholder ?? label} {...(id ? { id } : {})} />
        {value !== "" && (
          <Button className="button quiet small icon" aria-label={t.clear}>
            <X />
          </Button>
        )}
      </div>
    </AriaSearchField>
  );
}

interface CheckboxProps extends Omit<AriaCheckboxProps, "className" | "style" | "children"> {
  children?: ReactNode;
}

export function Checkbox({ children, ...rest }: CheckboxProps) {
  return (
    <AriaCheckbox {...rest} className="checkbox">
      {({ isIndeterminate }) => (
        <>
          <span className="box">{isIndeterminate ? <Minus aria-hidden /> : <Check aria-hidden />}</span>
          {children !== undefined && <span>{children}</span>}
        </>
      )}
    </AriaCheckbox>
  );
}

interface SegmentsProps<T extends string> {
  label: string;
  value: T;
  choices: readonly { id: T; name: ReactNode }[];
  onChange: (id: T) => void;
}

/** One of a few, all of them in sight. */
export function Segments<T extends string>({ label, value, choices, onChange }: SegmentsProps<T>) {
  return (
    <ToggleButtonGroup
      className="segments"
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[value]}
      onSelectionChange={(keys) => {
        const [key] = [...keys];
        if (key !== undefined) onChange(String(key) as T);
      }}
    >
      {choices.map((choice) => (
        <ToggleButton key={choice.id} id={choice.id}>
          {choice.name}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

/** Any number of short texts, such as tags. Enter or a comma ends one. */
export function TagField({
  label,
  values,
  onChange,
  hint,
  suggestions = [],
}: {
  label: string;
  values: readonly string[];
  onChange: (values: string[]) => void;
  hint?: string;
  suggestions?: readonly string[];
}) {
  const [text, setText] = useState("");
  const add = (more: string) => {
    const added = more
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "" && !values.includes(part));
    if (added.length > 0) onChange([...values, ...new Set(added)]);
    setText("");
  };
  const offered = suggestions.filter(
    (name) => !values.includes(name) && (text === "" || name.toLowerCase().includes(text.toLowerCase())),
  );
  return (
    <div className="field">
      <AriaTextField
        className="field"
        value={text}
        onChange={(next) => (next.endsWith(",") ? add(next) : setText(next))}
      >
        <Label>{label}</Label>
        <Input
          className="input"
          placeholder={t.tagPlaceholder}
          onKeyDown={(event) => {
            if (event.key === "Enter" && text.trim() !== "") {
              event.preventDefault();
              add(text);
            } else if (event.key === "Backspace" && text === "" && values.length > 0) {
              onChange(values.slice(0, -1));
            }
          }}
          onBlur={() => add(text)}
        />
        {hint && (
          <Text slot="description" className="hint">
            {hint}
          </Text>
        )}
      </AriaTextField>
      {values.length > 0 && (
        <div className="tags">
          {values.map((value) => (
            <span className="tag" key={value}>
              <span>{value}</span>
              <button
                type="button"
                aria-label={t.removeNamed(value)}
                onClick={() => onChange(values.filter((other) => other !== value))}
              >
                <X aria-hidden />
              </button>
            </span>
          ))}
        </div>
      )}
      {offered.length > 0 && (
        <div className="tags">
          {offered.slice(0, 12).map((name) => (
            <Button key={name} className="button small quiet" onPress={() => add(name)}>
              + {name}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}
