import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { t } from "../texts/en";
import { IconButton } from "./button";

interface DialogProps {
  title: string;
  onClose: () => void;
  /** Whether a click beside it and Escape close it; not where typed text would be lost. */
  dismissable?: boolean;
  /** Without it there is no way out but what is inside. */
  closable?: boolean;
  wide?: boolean;
  role?: "dialog" | "alertdialog";
  children: ReactNode;
}

/** A dialog over the page. It is there as long as it is rendered. */
export function Dialog({ title, onClose, dismissable = true, closable = true, wide, role, children }: DialogProps) {
  return (
    <ModalOverlay
      className="backdrop"
      isOpen
      isDismissable={dismissable && closable}
      isKeyboardDismissDisabled={!closable}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className={wide ? "modal wide" : "modal"}>
        <AriaDialog className="dialog" role={role ?? "dialog"}>
          <div className="dialog-head">
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            {closable && <IconButton kind="quiet" size="small" label={t.close} icon={<X />} onPress={onClose} />}
          </div>
          <div className="dialog-body">{children}</div>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
