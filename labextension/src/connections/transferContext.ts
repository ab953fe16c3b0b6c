/**
 * What all transfers of a tab share.
 */
import { IConnectionManager } from '../tokens';
import { EngineClient } from './engineClient';
import { IFileStreamLink } from './fileStream';
import { TransferList } from './transferList';
import { TransferStore } from './transferStore';
import { Turns } from './turns';

/** What transfers use of the connection manager. */
export type ITransferConnections = Pick<
  IConnectionManager,
  'request' | 'subscribe'
> & { fileStreamLink(operationId: string): IFileStreamLink };

export interface ITransferContext {
  readonly connections: ITransferConnections;
  readonly engine: EngineClient;
  readonly list: TransferList;
  readonly store: TransferStore;
  /** Uploads of large files take turns. */
  readonly turns: Turns;
}
