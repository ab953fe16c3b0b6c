/**
 * The buttons at a piece of code. They are plain elements: Markdown is rendered outside of React.
 */
import { LabIcon } from '@jupyterlab/ui-components';
import {
  addBelowIcon,
  checkIcon,
  copyIcon,
  editIcon,
  pasteIcon
} from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';

import { CODE_ACTIONS, CodeAction, CodeActions } from './codeActions';
import { codeActionName } from './words';

const ICONS: { readonly [action in CodeAction]: LabIcon } = {
  insert: pasteIcon,
  replace: editIcon,
  below: addBelowIcon,
  copy: copyIcon
};

const COPIED_MS = 2000;

export function codeBar(
  code: string,
  language: string,
  actions: CodeActions,
  trans: TranslationBundle
): HTMLElement {
  const bar = document.createElement('div');
  bar.className = 'jp-WsHub-codeBar';
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', trans.__('Code'));
  const written = document.createElement('span');
  written.className = 'jp-WsHub-codeLanguage';
  written.textContent = language;
  bar.append(written);
  const buttons = CODE_ACTIONS.map(action => {
    const button = document.createElement('button');
    button.className = 'jp-WsHub-tool';
    ICONS[action].element({ container: button, width: '14px' });
    button.addEventListener('click', () => {
      if (actions.can(action)) {
        actions.do(action, code);
        if (action === 'copy') {
          showCopied(button, trans);
        }
      }
    });
    return button;
  });
  bar.append(...buttons);
  // Whether there is a cell is seen when somebody is about to use the buttons.
  const look = () =>
    CODE_ACTIONS.forEach((action, index) => {
      // Not `disabled`: the focus stays, and why it cannot be used is read out.
      const can = actions.can(action);
      const label = codeActionName(action, can, trans);
      buttons[index]!.setAttribute('aria-disabled', String(!can));
      name(buttons[index]!, label);
    });
  look();
  bar.addEventListener('pointerenter', look);
  bar.addEventListener('focusin', look);
  return bar;
}

function name(button: HTMLElement, label: string): void {
  button.title = label;
  button.setAttribute('aria-label', label);
}

/** For a moment the button says that it has done what cannot be seen. */
function showCopied(button: HTMLElement, trans: TranslationBundle): void {
  const show = (icon: LabIcon, label: string) => {
    button.replaceChildren();
    icon.element({ container: button, width: '14px' });
    name(button, label);
  };
  show(checkIcon, trans.__('Copied'));
  setTimeout(
    () => show(copyIcon, codeActionName('copy', true, trans)),
    COPIED_MS
  );
}
