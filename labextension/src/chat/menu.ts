/**
 * Small menus at buttons.
 */
import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import type * as React from 'react';

export interface IMenuItem {
  readonly label: string;
  readonly run: () => void;
}

/**
 * Open a menu at a button; it is gone when something was chosen, or nothing. The button has the focus then, so that a
 * dialog that is opened gives it back there.
 */
export function openMenu(
  button: HTMLElement,
  items: readonly IMenuItem[],
  byKeyboard: boolean
): MenuSvg {
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  items.forEach(({ label, run }, index) => {
    const command = `item-${index}`;
    commands.addCommand(command, {
      label,
      execute: run,
      describedBy: { args: { type: 'object', properties: {} } }
    });
    menu.addItem({ command });
  });
  menu.aboutToClose.connect(() => {
    button.focus();
    button.setAttribute('aria-expanded', 'false');
    // What was chosen is run after the menu has closed.
    setTimeout(() => menu.dispose());
  });
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
  button.setAttribute('aria-expanded', 'true');
  if (byKeyboard) {
    menu.activateNextItem();
  }
  return menu;
}

/** Whether a button was pressed with a key: then nothing is under the pointer. */
export const isByKeyboard = (event: React.MouseEvent): boolean =>
  event.detail === 0;
