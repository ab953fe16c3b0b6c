/**
 * The plugins that provide the connection manager and the transfer manager.
 */
import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  IServerSettings,
  ServerConnection,
  ServiceManagerPlugin
} from '@jupyterlab/services';

import { hasService, isAvailable, serverVersion } from '../server';
import { IConnectionManager, ITransferManager } from '../tokens';
import { ConnectionManager } from './manager';
import { spawnWorker } from './spawnWorker';
import { TransferManager } from './transfers';

export const connectionManager: ServiceManagerPlugin<IConnectionManager> = {
  id: 'jupyter-ws-hub:connection-manager',
  description: 'Owns every connection to the jupyter_ws_hub server extension.',
  autoStart: true,
  provides: IConnectionManager,
  optional: [IServerSettings],
  activate: (_: null, settings: ServerConnection.ISettings | undefined) =>
    new ConnectionManager({
      settings: settings ?? ServerConnection.makeSettings(),
      version: serverVersion(),
      available: isAvailable()
    })
};

export const transferManager: JupyterFrontEndPlugin<ITransferManager> = {
  id: 'jupyter-ws-hub:transfer-manager',
  description: 'Uploads and downloads over /ws/file-stream/<op>.',
  autoStart: true,
  provides: ITransferManager,
  requires: [IConnectionManager],
  activate: (app: JupyterFrontEnd, manager: IConnectionManager) => {
    if (!(manager instanceof ConnectionManager)) {
      throw new Error('Transfers need the connection manager of this package.');
    }
    const settings = app.serviceManager.serverSettings;
    const transfers = new TransferManager({
      ...{ connections: manager, settings, spawn: spawnWorker }
    });
    manager.streamsHurried.connect((_, op) => transfers.hurry(op));
    if (hasService('transfers')) {
      // What has ended meanwhile is told once: who shows it must be there.
      void app.started.then(() => transfers.start());
    }
    return transfers;
  }
};
