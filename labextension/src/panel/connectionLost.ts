/**
 * What JupyterLab does when its requests do not reach the server: no dialog. The status bar and the panel tell how the
 * connections are, and they come back by themselves; only a server of a JupyterHub may have to be started again.
 */
import {
  ConnectionLost,
  IConnectionLost,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import {
  ITranslator,
  nullTranslator,
  TranslationBundle
} from '@jupyterlab/translation';

import { isAvailable, TRANSLATION_DOMAIN } from '../server';

/** JupyterLab's own command, which is there under a JupyterHub. */
const RESTART = 'hub:restart';

export const connectionLost: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-ws-hub:connection-lost',
  description: 'No dialog when the connection to the server is lost.',
  autoStart: true,
  provides: IConnectionLost,
  requires: [JupyterFrontEnd.IPaths],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    paths: JupyterFrontEnd.IPaths,
    translator: ITranslator | null
  ): IConnectionLost => {
    const { urls } = paths;
    if (urls.hubPrefix) {
      const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
      return offerRestart(app, trans, urls.base);
    }
    // Without the server half nobody else would tell.
    return isAvailable() ? async () => undefined : ConnectionLost;
  }
};

/** A JupyterHub may have stopped the server: one notification, for as long as it is there. */
export function offerRestart(
  app: Pick<JupyterFrontEnd, 'commands'>,
  trans: TranslationBundle,
  baseUrl: string
): IConnectionLost {
  let shown: string | null = null;
  return async () => {
    if (shown !== null && Notification.manager.has(shown)) {
      return;
    }
    const text = trans.__('Your server at %1 cannot be reached.', baseUrl);
    const restart = () => {
      app.commands.execute(RESTART).catch(console.warn);
    };
    shown = Notification.warning(text, {
      autoClose: false,
      actions: [{ label: trans.__('Restart it'), callback: restart }]
    });
  };
}
