/**
 * The buttons at a piece of code. They are plain elements: Markdown is rendered outside of React.
 */
import { LabIcon } from '@jupyterlab/ui-components';
import {
  addBelowIcon,
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

export function codeBar(
  code: string,
  language: string,
  actions: CodeActions,
  trans: TranslationBundle
): HTMLElement {
  const bar = document.createElement('div');
  bar.className = 'jp-WsHub-codeBar';
  bar.setAttribute('role', 'toolbar');
  bar.setAttribute('aria-label', trans.__('Code'));
  const name = document.createElement('span');
  name.className = 'jp-WsHub-codeLanguage';
  name.textContent = language;
  bar.append(name);
  for (const action of CODE_ACTIONS) {
    const button = document.createElement('button');
    const label = codeActionName(action, trans);
    button.className = 'jp-WsHub-tool';
    button.title = label;
    button.setAttribute('aria-label', label);
    ICONS[action].element({ container: button, width: '14px' });
    button.addEventListener('click', () => actions.do(action, code));
    bar.append(button);
  }
  // Whether there is a cell is seen when somebody is about to use the buttons.
  const look = () => {
    const buttons = bar.querySelectorAll('button');
    CODE_ACTIONS.forEach((action, index) => {
      buttons[index]!.disabled = !actions.can(action);
    });
  };
  bar.addEventListener('pointerenter', look);
  bar.addEventListener('focusin', look);
  return bar;
}
