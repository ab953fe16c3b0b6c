/**
 * The plugins that provide JupyterLab's terminal manager, and that show how terminals are connected.
 */
import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import {
  IConnectionStatus,
  IServerSettings,
  ITerminalManager,
  ServerConnection,
  ServiceManagerPlugin,
  Terminal
} from '@jupyterlab/services';
import { ITerminalTracker } from '@jupyterlab/terminal';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ConnectionManager } from '../connections/manager';
import { isAvailable, TRANSLATION_DOMAIN } from '../server';
import { IConnectionManager } from '../tokens';
import { makeTerminalManager } from './manager';
import { TabMarker } from './marker';
import { connectScreens } from './screens';

const NOTICE_MS = 8000;

export const terminalManager: ServiceManagerPlugin<Terminal.IManager> = {
  id: 'jupyter-ws-hub:terminal-manager',
  description: "JupyterLab's terminals over /ws/terminal/<name>.",
  autoStart: true,
  provides: ITerminalManager,
  requires: [IConnectionManager],
  optional: [IServerSettings, IConnectionStatus],
  activate: (
    _: null,
    manager: IConnectionManager,
    settings: ServerConnection.ISettings | undefined,
    connection: IConnectionStatus | undefined
  ) =>
    makeTerminalManager(
      settings ?? ServerConnection.makeSettings(),
      isAvailable() && manager instanceof ConnectionManager
        ? name => manager.openTerminal(name)
        : null,
      () => connection?.isConnected ?? true
    )
};

export const terminalScreens: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-ws-hub:terminal-screens',
  description:
    'Tells connections what terminals have shown, and users how they are connected.',
  autoStart: true,
  requires: [IConnectionManager],
  optional: [ITerminalTracker, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    manager: IConnectionManager,
    tracker: ITerminalTracker | null,
    translator: ITranslator | null
  ) => {
    if (!isAvailable() || !(manager instanceof ConnectionManager)) {
      return;
    }
    manager.terminalNotices.connect((_, { text, level }) => {
      Notification.emit(text, level, { autoClose: NOTICE_MS });
    });
    if (tracker) {
      const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
      const marker = new TabMarker(tracker, trans.__('Reconnecting…'));
      connectScreens(tracker, manager.screens);
      manager.statusChanged.connect((_, status) => marker.update(status));
    }
  }
};
