/**
 * The plugin that provides JupyterLab's terminal manager.
 */
import {
  IConnectionStatus,
  IServerSettings,
  ITerminalManager,
  ServerConnection,
  ServiceManagerPlugin,
  Terminal
} from '@jupyterlab/services';

import { ConnectionManager } from '../connections/manager';
import { isAvailable } from '../server';
import { IConnectionManager } from '../tokens';
import { makeTerminalManager } from './manager';

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
