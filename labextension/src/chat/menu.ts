/**
 * Small menus at buttons.
 */
import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

export interface IMenuItem {
  readonly label: string;
  readonly run: () => void;
}

/** Open a menu at a button; it is gone when something was chosen, or nothing. */
export function openMenu(
  button: HTMLElement,
  items: readonly IMenuItem[]
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
    // What was chosen is run after the menu has closed.
    setTimeout(() => menu.dispose());
  });
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
  return menu;
}
